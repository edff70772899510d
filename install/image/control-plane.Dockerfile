# The mesh's control plane: `lateen mesh`. From the repository's root:
#   docker build -f install/image/control-plane.Dockerfile -t REGISTRY/lateen:TAG .
FROM node:26-bookworm-slim
WORKDIR /opt/lateen
# The image has the Node that the package pins, so the package's own copy isn't needed.
COPY package.json package-lock.json ./
RUN npm install --omit=dev --ignore-scripts --no-audit --no-fund && rm -rf /root/.npm
COPY bin bin
COPY cli cli
COPY cluster cluster
COPY crds crds
COPY ingress ingress
COPY install install
COPY pilot pilot
COPY sidecar-injector sidecar-injector
USER 1337:1337
ENTRYPOINT ["node", "/opt/lateen/cli/main.ts"]
