# The offhook program as an image: docker build -t offhook . && docker run --rm --network host offhook --help
ARG RUST=rust:1-slim-bookworm
ARG BASE=debian:bookworm-slim

FROM ${RUST} AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked --bin offhook

FROM ${BASE}
COPY --from=build /build/target/release/offhook /usr/local/bin/offhook
COPY --from=build /build/scenarios /scenarios
# The journal; mount a volume here to keep it.
WORKDIR /data
ENTRYPOINT ["offhook"]
