# Three stages: the second keeps exactly the production dependencies of the lock file, the last holds Node, them and the compiled sources. No shell is needed.
ARG NODE_IMAGE=node:24-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.build.json ./
RUN npm ci --ignore-scripts
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM ${RUNTIME_IMAGE}
WORKDIR /app
ENV NODE_ENV=production
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY --from=build /app/dist ./dist
USER 10001:10001
EXPOSE 8080
# The distroless image's entry point is node itself, which gets SIGTERM as process 1. A small young generation keeps the memory small.
CMD ["--max-semi-space-size=2", "--max-old-space-size=160", "dist/main.js"]
