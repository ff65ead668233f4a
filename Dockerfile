# Any Docker can build this; BuildKit can build it for several platforms at once. It sets BUILDPLATFORM to the machine's
# own platform, on which Go cross-compiles for all of them. BUILDER is an image with Go 1.26 and a shell.
ARG BUILDER=golang:1.26
FROM --platform=${BUILDPLATFORM:-linux} ${BUILDER} AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
ARG TARGETOS
ARG TARGETARCH
RUN GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X github.com/bizmatters/dragonfly-generator/internal/cli.version=${VERSION}" \
    -o /dragonfly-generator .
# Kustomize and kpt run the image as `--user nobody`, which Docker looks up in the image.
RUN echo 'nobody:x:65534:65534:nobody:/:/sbin/nologin' > /passwd

FROM scratch
ARG VERSION=devel
ARG REVISION=unknown
LABEL org.opencontainers.image.title="dragonfly-generator" \
      org.opencontainers.image.description="KRM function that expands DragonflyInstance claims" \
      org.opencontainers.image.url="https://github.com/bizmatters/dragonfly-generator" \
      org.opencontainers.image.documentation="https://github.com/bizmatters/dragonfly-generator/tree/main/docs" \
      org.opencontainers.image.source="https://github.com/bizmatters/dragonfly-generator" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /passwd /etc/passwd
COPY --from=build /dragonfly-generator /usr/local/bin/dragonfly-generator
USER 65534:65534
ENTRYPOINT ["/usr/local/bin/dragonfly-generator"]
