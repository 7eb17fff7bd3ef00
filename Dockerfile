# Two stages: the first makes the program of the sources and the packages in the lock file, the last holds Node and it. No shell and no package is needed.
ARG NODE_IMAGE=node:24-slim
# Any image whose entry point is node; one without a shell is the better choice: --build-arg RUNTIME_IMAGE=…
ARG RUNTIME_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc rolldown.config.ts ./
RUN npm ci --ignore-scripts
COPY src ./src
RUN npm run build

FROM ${RUNTIME_IMAGE}
WORKDIR /app
ENV NODE_ENV=production
COPY package.json ./
COPY --from=build /app/dist ./dist
COPY bin ./bin
# kubectl exec … -- pgsteward VERB, where the image has a shell; where it has none, -- node dist/main.js VERB with the path of its node.
ENV PATH=/app/bin:$PATH
USER 10001:10001
EXPOSE 8080
# Threads share one arena: of those that glibc would give each of them, little is ever given back.
ENV MALLOC_ARENA_MAX=1
# The image's entry point hands this to node, which gets SIGTERM as process 1. A small young generation, of one size, keeps the memory small.
CMD ["--min-semi-space-size=2", "--max-semi-space-size=2", "--max-old-space-size=160", "dist/main.js"]
