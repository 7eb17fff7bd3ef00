# Three stages: the second keeps exactly the production dependencies of the lock file, the last holds Node, them and the compiled sources. No shell is needed.
ARG NODE_IMAGE=node:24-slim
# Any image whose entry point is node; one without a shell is the better choice: --build-arg RUNTIME_IMAGE=…
ARG RUNTIME_IMAGE=node:24-slim

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
COPY bin ./bin
# kubectl exec … -- pgsteward VERB, where the image has a shell; where it has none, -- node dist/main.js VERB with the path of its node.
ENV PATH=/app/bin:$PATH
USER 10001:10001
EXPOSE 8080
# The image's entry point hands this to node, which gets SIGTERM as process 1. A small young generation keeps the memory small.
CMD ["--max-semi-space-size=2", "--max-old-space-size=160", "dist/main.js"]
