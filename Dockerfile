# timedb on the official image of Postgres: docker build --build-arg PG=17 -t timedb .
# Then as that image is used: docker run -e POSTGRES_PASSWORD=… timedb, and CREATE EXTENSION timedb in a database.
ARG PG=15
ARG DEBIAN=bookworm

FROM postgres:${PG}-${DEBIAN} AS build
ARG PG
ARG RUST=1.95.0
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Of the server's own version, and whatever else is today's.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
      build-essential ca-certificates curl git libclang-dev "postgresql-server-dev-${PG}" \
 && rm -rf /var/lib/apt/lists/*
RUN curl --proto '=https' --tlsv1.2 --silent --show-error --fail https://sh.rustup.rs \
  | sh -s -- -y --profile minimal --default-toolchain "${RUST}"
ENV PATH=/root/.cargo/bin:$PATH
WORKDIR /timedb
COPY . .
RUN PG="${PG}" scripts/deb.sh release

FROM postgres:${PG}-${DEBIAN}
ARG PG
COPY --from=build /timedb/target/deb/*.deb /tmp/
# They need nothing that the image lacks.
RUN dpkg --install /tmp/postgresql-"${PG}"-timedb_*.deb /tmp/timedb-cli_*.deb && rm /tmp/*.deb
