# Two stages: the first compiles, the second holds what runs. Plain enough for the classic builder and for buildah.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY scripts/build.ts scripts/undici-parts.cjs ./scripts/
COPY src ./src
# The client libraries of the outputs kafka and nats (3 MB) are optional peers, which prune takes away with the development packages:
# they are put aside, in the versions of the lock file, and back. The last line fails when one of them, or what it needs, is missing.
# SQLite's sources, and its binaries for other systems, are 22 of the 27 MB of its package.
RUN npm run build \
 && mkdir clients && cp -R node_modules/kafkajs node_modules/@nats-io node_modules/tweetnacl clients/ \
 && npm prune --omit=dev \
 && cp -R clients/. node_modules/ && rm -r clients \
 && rm -rf node_modules/better-sqlite3/deps node_modules/better-sqlite3/src \
 && find node_modules/better-sqlite3/prebuilds -name '*.node' ! -name 'linux-*' -delete \
 && node -e "for (const name of ['kafkajs', '@nats-io/transport-node', '@nats-io/jetstream']) require(name)"

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="mimecast-forwarder" \
      org.opencontainers.image.description="Brings Mimecast attachment-protection logs into a SIEM" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    MALLOC_ARENA_MAX=1 \
    MIMECAST_FORWARDER_CONFIG=/etc/mimecast-forwarder/forwarder.yaml
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY LICENSE ./
# The config's paths are the container's: see config/container.yaml. The store's folder is the only one that is written to.
COPY config/container.yaml /etc/mimecast-forwarder/forwarder.yaml
RUN mkdir -p /var/lib/mimecast-forwarder .cache && chown node:node /var/lib/mimecast-forwarder .cache
USER node
# A start that finds no config (exit code 2) leaves what V8 makes of the code for all later ones; it counts for the same flags only.
RUN node --initial-heap-size=64 --min-semi-space-size=4 --max-semi-space-size=4 --no-lazy-feedback-allocation dist/main.js run --config none || [ $? -eq 2 ]
VOLUME /var/lib/mimecast-forwarder
EXPOSE 9464
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# PID 1 is the daemon itself, so that it gets SIGTERM.
ENTRYPOINT ["node", "--initial-heap-size=64", "--min-semi-space-size=4", "--max-semi-space-size=4", "--no-lazy-feedback-allocation", "/app/dist/main.js"]
CMD ["run"]
