# Two stages: the first installs exactly the production dependencies of the lock file, the second holds Node, them and src/, and no shell is needed.
ARG NODE_IMAGE=node:24-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM ${RUNTIME_IMAGE}
WORKDIR /app
ENV NODE_ENV=production
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY src ./src
USER 10001:10001
EXPOSE 8080
# The distroless image's entry point is node itself, which runs TypeScript directly and gets SIGTERM as process 1.
CMD ["src/main.ts"]
