# An image with the program and what it is linked to: no git, no wrapper script, no init.
#
#     docker build -t gitport .
#     docker run -i --rm -v gitport-data:/data gitport
#
# Both stages are bookworm, so that the OpenSSL found at run time is the one that was linked.

FROM rust:1-bookworm AS build

# Most of these are in the image already; what the build needs does not depend on it.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev make cmake pkg-config libssl-dev \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim

# libssl3 and libgcc-s1 are linked; the certificates are what https remotes are checked against.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl3 libgcc-s1 ca-certificates \
    && rm -rf /var/lib/apt/lists/*

# The number is fixed so that the owner of a volume can be given before there is an image. The
# home is where ~/.ssh/known_hosts is looked for.
RUN useradd --uid 10001 --user-group --create-home gitport \
    && install -d -o gitport -g gitport /data

COPY --from=build /src/target/release/gitport /usr/local/bin/gitport

USER 10001:10001
WORKDIR /data
VOLUME /data
ENV GITPORT_ROOT=/data
# Workspaces; inside of the root, as they have to be. The daemon makes the folder.
ENV GITPORT_DATA=/data/workspaces

# Less than the ten seconds after which `docker stop` kills.
ENV GITPORT_GRACE_MS=8000

# The exec form makes gitport process 1, so that it gets SIGTERM itself: it finishes what is
# running and exits with 0. It waits for each child it starts, and these start none here (only
# stock git would, and there is none), so that nobody else has to reap.
ENTRYPOINT ["gitport"]
CMD ["serve"]
