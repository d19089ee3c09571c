# The one image of functions and runners. Built by `faas-cli up -f stack.yml`, or as it stands: docker build .
FROM --platform=$BUILDPLATFORM node:24-trixie-slim AS assembled
WORKDIR /project
COPY . .
RUN npm ci --no-audit --no-fund && node deploy/image/assemble.ts /app

FROM node:24-trixie-slim
COPY deploy/image/packages deploy/image/add-packages.sh /tmp/image/
RUN sh /tmp/image/add-packages.sh && rm -r /tmp/image
COPY --from=assembled /app /app
# Any other user will do, and a root file system that nobody can write to, with room for a few bytes in /tmp.
USER 1000:1000
ENV NODE_ENV=production KEEPSAKE_CONFIG=/etc/keepsake/keepsake.yaml
EXPOSE 8080
ENTRYPOINT ["node", "--max-semi-space-size=1", "/app/keepsake.cjs"]
CMD ["serve"]
