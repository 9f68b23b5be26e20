# syntax=docker/dockerfile:1
#   docker build -t righttask-collab .
#   docker run -p 4000:4000 -v rooms:/app/data -e ALLOWED_ORIGINS=https://app.example.com -e JWT_SECRET righttask-collab

FROM node:26-slim AS dependencies
WORKDIR /app
# Only what decides the dependencies: a change of the source then costs no new installation.
COPY package.json package-lock.json ./
# Without the examples and without what only development needs (the pinned Node among it: the image is the Node here).
# No install scripts: better-sqlite3 brings its binaries along, and no package can then run with the build's network.
RUN npm ci --omit=dev --ignore-scripts --workspaces=false

FROM node:26-slim
# An insecure default then is a refusal to start (exit code 78), not a warning.
ENV NODE_ENV=production
WORKDIR /app
# SQLite writes beside its file (-wal, -shm), so the folder itself has to be the user's. A new volume takes over owner and mode.
RUN install -d -o node -g node data
COPY --from=dependencies /app/node_modules node_modules
# Node runs the TypeScript as it is: there is no build step.
COPY package.json server.ts ./
COPY auth auth
COPY commands commands
COPY extensions extensions
COPY fanout fanout
COPY http http
COPY lib lib
COPY limits limits
COPY members members
COPY presence presence
COPY storage storage
COPY sync sync
COPY transport transport
# The image's unprivileged user. The code stays root's, so the process cannot change it.
USER node
# Rooms survive `docker rm` even where nobody named a volume.
VOLUME /app/data
EXPOSE 4000
# Alive, not ready: Swarm and the like kill an unhealthy container, and a broken disk (not ready) is not mended by losing the memory
# that still holds the unsaved edits. slim has no curl.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 4000) + '/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# node itself, not npm: npm as process 1 would stand between SIGTERM and the orderly stop. Give that SHUTDOWN_SECONDS:
# Docker kills after 10 s unless told otherwise (`--stop-timeout 30`; docker-compose.yml and fly.toml say it).
CMD ["node", "server.ts"]
