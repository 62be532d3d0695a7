# The worker and the `runbook` command as compiled JavaScript. Build: docker build --tag alecs-runbooks:0.1.0 .
FROM node:24.21.0-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# Install scripts only bring a second Node, which this image does not need.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY bin bin
COPY scripts scripts
COPY src src
RUN npm run build

FROM node:24.21.0-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev

FROM node:24.21.0-slim
ENV NODE_ENV=production
# What keeps the worker small: bin/bootstrap.mjs tells why.
ENV NODE_OPTIONS=--max-semi-space-size=8 MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=1048576
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=build /build/dist dist
COPY package.json LICENSE NOTICE ./
COPY targets targets
# Made by the base image, uid 1000. Nothing below /app is writable for it, and nothing needs to be.
USER node
# Not through bin/: the process that gets SIGTERM is the worker itself.
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["worker"]
