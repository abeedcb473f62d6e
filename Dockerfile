# Public images by default. Behind a closed network pass your own with --build-arg; pin both by digest for a release.
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm-slim
# Distroless: Node.js, its libraries and CA certificates; no shell, no package manager, nothing to run but Node.
# Debian 12 in both stages, so that both have the same C library.
ARG RUN_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY console console
COPY openapi.yaml LICENSE ./
# The emulators' issuer signs tokens for anyone; it lives outside of src, so no image has it to be configured to.
# The last command fails the build if the program needs anything else that was left out.
RUN npm run build && node dist/main.js --help > /dev/null
# Type files and source maps are for editors and debuggers: nothing reads them when the program runs.
RUN find dist -type f \( -name "*.ts" -o -name "*.mts" -o -name "*.cts" -o -name "*.map" \) -delete
# What `build_info` and the log call this build.
ARG REVISION=unknown
RUN npm pkg set gitHead="${REVISION}"

FROM ${BUILD_IMAGE} AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
RUN find node_modules -type f \( -name "*.ts" -o -name "*.mts" -o -name "*.cts" -o -name "*.map" \) -delete
# Nor do Node.js and its resolution look at the builds of these for bundlers.
RUN find node_modules/@opentelemetry -type d \( -path "*/build/esm" -o -path "*/build/esnext" \) -prune -exec rm -r {} +
# The run image has no shell to make these with.
RUN mkdir -p /state/lib /state/log

FROM ${RUN_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="token-broker" \
  org.opencontainers.image.description="Turns a Cognito JWT into scoped, short-lived AWS session credentials" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
WORKDIR /app
# The program belongs to root and is not writable by the user that runs it.
COPY --from=dependencies /build/node_modules node_modules
COPY --from=build /build/package.json /build/LICENSE ./
COPY --from=build /build/dist dist
# The only two places that are written; the root file system can be read-only.
COPY --from=dependencies --chown=65532:65532 /state/lib /var/lib/token-broker
COPY --from=dependencies --chown=65532:65532 /state/log /var/log/token-broker
VOLUME ["/var/lib/token-broker", "/var/log/token-broker"]
USER 65532:65532
EXPOSE 8080 8081 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/nodejs/bin/node", "/app/dist/main.js", "healthcheck"]
# No heap size: Node reads the container's memory limit. SIGUSR1 would open an inspector.
# Without --permission: since Node 24.13 it takes fsync away, and an audit record that is not on the disk lets nothing leave.
ENTRYPOINT ["/nodejs/bin/node", "--disable-sigusr1", "/app/dist/main.js"]
CMD ["serve", "--config", "/etc/token-broker/config.yaml"]
