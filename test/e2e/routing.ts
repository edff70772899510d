/** Routing objects of the suites, as a user writes them. */

/** virtualservice/reviews with one weighted rule; weights by subset. */
export function reviewsByWeight(weights: Record<string, number>): string {
  const routes = Object.entries(weights).map(
    ([subset, weight]) => `
        - destination: { host: reviews, subset: ${subset} }
          weight: ${weight}`,
  );
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec:
  hosts: [reviews]
  http:
    - route:${routes.join("")}
`;
}

/** Everyone to v1, `end-user: jason` to v2. */
export const JASON_TO_V2 = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec:
  hosts: [reviews]
  http:
    - match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: reviews, subset: v2 } }]
    - route: [{ destination: { host: reviews, subset: v1 } }]
`;

/** virtualservice/details with extra fields on a rule for `end-user: jason`. */
export function detailsForJason(rule: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: details, namespace: default }
spec:
  hosts: [details]
  http:
    - match: [{ headers: { end-user: { exact: jason } } }]
      ${rule}
      route: [{ destination: { host: details } }]
    - route: [{ destination: { host: details } }]
`;
}

/** A gateway host of its own that reaches one service directly, for looking at single rules. */
export function directRoute(host: string, rule: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: direct-${host.split(".")[0]}, namespace: default }
spec:
  hosts: ["${host}"]
  gateways: [direct]
  http:
    - ${rule}
`;
}

/** Takes any host of example.org at the ingress. */
export const DIRECT_GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: direct, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers:
    - port: { number: 80, name: http, protocol: HTTP }
      hosts: ["*.example.org"]
`;
