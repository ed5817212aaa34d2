# The image: the program, the public authorities' certificates, the notices, and nothing else.
# Builds with Docker, BuildKit or not, and with buildah; only the build needs the network.
ARG RUST_IMAGE=rust:1.95-slim-trixie
ARG RUNTIME_IMAGE=debian:trixie-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /build
ENV SQLX_OFFLINE=true

# The dependencies, on sources that say nothing: this layer is built again only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src/tests src/bench \
    && touch src/lib.rs \
    && for main in src/main.rs src/tests/main.rs src/bench/main.rs; do echo 'fn main() {}' > "$main"; done \
    && cargo build --release --locked \
    && rm -r src

# The program. Its sources may be older than those that said nothing; cargo looks at the times.
COPY .sqlx .sqlx
COPY migrations migrations
COPY static static
COPY templates templates
COPY src src
RUN touch src/main.rs src/lib.rs && cargo build --release --locked

# The licences of everything that is in it.
COPY .ci/notices .ci/notices
RUN .ci/notices > THIRD_PARTY.txt

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="Beanstock" \
      org.opencontainers.image.description="Café coffee-bean inventory kept right through SNS, SQS and MySQL" \
      org.opencontainers.image.licenses="MIT"
# For `local-aws`, the only command that keeps anything; a volume on it starts with this owner.
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/beanstock
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/THIRD_PARTY.txt /usr/share/doc/beanstock/THIRD_PARTY.txt
COPY --from=build /build/target/release/beanstock /usr/local/bin/beanstock
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["beanstock", "probe"]
ENTRYPOINT ["beanstock"]
CMD ["serve"]
