# sidetail's image. Stages: build (the compiler and the root file system of the image), test (the unit tests), runtime (the default).
#   docker build -t sidetail .                          the image
#   docker build --target test -t sidetail-unit .       the unit tests, run while it is built
#   docker build --build-arg BUILD_BASE=debian:bookworm-slim -t sidetail .      with the libraries of Debian 12
#   docker build --platform linux/arm64 -t sidetail .   the image for 64-bit Arm, cross-compiled; BuildKit only
# The same base image and packages give the same layers and the same binary, byte by byte.
ARG BUILD_BASE=debian:trixie-slim
ARG RUNTIME_BASE=scratch

# This stage runs on the machine that builds, and compiles for TARGETARCH. The legacy builder sets neither of the two, and builds
# for its own machine.
FROM --platform=${BUILDPLATFORM:-linux} ${BUILD_BASE} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ARG TARGETARCH
# Versions are the release's: a stable Debian gives security fixes only. To pin them all, set BUILD_BASE to a digest of an image
# whose sources are a snapshot's.
WORKDIR /librdkafka
# hadolint ignore=DL3008
RUN arch=${TARGETARCH:-$(dpkg --print-architecture)} \
    && dpkg --add-architecture "$arch" \
    && find /etc/apt -name '*.list' -exec sed -i 's/^deb \(.*\)/&\ndeb-src \1/' {} + \
    && find /etc/apt -name '*.sources' -exec sed -i 's/^Types: deb$/& deb-src/' {} + \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        build-essential ca-certificates "crossbuild-essential-$arch" libcap2-bin pkg-config uthash-dev \
        {libevent,libhttp-parser,libjansson,liblz4,libpcre2,libssl,libxxhash,libzstd,zlib1g}-dev:"$arch" \
    && apt-get source librdkafka \
    && mv librdkafka-*/* . \
    && rm -rf /var/lib/apt/lists/* \
    && triplet=$(dpkg-architecture -a"$arch" -qDEB_HOST_MULTIARCH) \
    && echo "export DEB_HOST_ARCH=$arch TRIPLET=$triplet CC=$triplet-gcc PKG_CONFIG_LIBDIR=/usr/lib/$triplet/pkgconfig" >/target
# Every RUN from here on begins with it.
ENV BASH_ENV=/target
# Debian's source with Debian's flags. Debian 13's own library is linked to libcurl, for a login by OIDC, and with that to 25
# libraries of 12 MB; Cyrus SASL is for Kerberos alone, and of no use without its plugins.
RUN eval "$(DEB_CFLAGS_STRIP=-g dpkg-buildflags --export=sh)" \
    && ./configure --prefix=/usr --libdir="/usr/lib/$TRIPLET" --disable-curl --disable-gssapi --disable-debug-symbols \
    && make -j"$(nproc)" -C src \
    && make -C src install \
    && "$TRIPLET-strip" --strip-unneeded "/usr/lib/$TRIPLET/librdkafka.so.1"
WORKDIR /src
COPY Makefile ./
COPY include include
COPY src src
# No path of this machine and no time is left in the binary.
RUN make -j"$(nproc)" CFLAGS="-O2 -g0 -ffile-prefix-map=/src=." build/sidetail && "$TRIPLET-strip" build/sidetail

# The loader and the libraries, and those that these load. ldd would have to run the binary, which may be for another machine.
RUN mkdir /rootfs; \
    files=build/sidetail; \
    while [ -n "$files" ]; do \
        files=$(xargs readelf -ld <<<"$files" \
            | sed -nE "s|.*interpreter: (.*)]|\1|p; /ld-linux/! s|.*\(NEEDED\).*\[(.*)]|/lib/$TRIPLET/\1|p" | sort -u); \
        xargs -r cp -L --parents -t /rootfs <<<"$files"; \
    done
# The image's root beside these: the binary, certificates, how names are found, the user, its directory.
# 65532 has no name elsewhere, so that it owns nothing on the host; root's group may write to the directory too, so that uid 0
# without capabilities can. The capability is permitted, not effective (+p): sidetail takes it into use where a source needs it, and
# starts without it where the container may not have it.
ARG SOURCE_DATE_EPOCH=1700000000
RUN mkdir -p /rootfs/etc/ssl/certs /rootfs/usr/lib/ssl /rootfs/var/lib/sidetail \
    && cp build/sidetail /rootfs/sidetail \
    && cp /etc/ssl/certs/ca-certificates.crt /rootfs/etc/ssl/certs/ \
    && ln -s /etc/ssl/certs/ca-certificates.crt /rootfs/usr/lib/ssl/cert.pem \
    && echo 'hosts: files dns' >/rootfs/etc/nsswitch.conf \
    && echo 'sidetail:x:65532:65532::/var/lib/sidetail:/sidetail' >/rootfs/etc/passwd \
    && echo 'sidetail:x:65532:' >/rootfs/etc/group \
    && chown 65532:0 /rootfs/var/lib/sidetail && chmod 0770 /rootfs/var/lib/sidetail \
    && setcap cap_dac_read_search+p /rootfs/sidetail \
    && find /rootfs -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

FROM build AS test
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "libcmocka-dev:$DEB_HOST_ARCH" \
    && rm -rf /var/lib/apt/lists/*
COPY tests/unit tests/unit
COPY tests/data tests/data
RUN make -j"$(nproc)" unit

# hadolint ignore=DL3006
FROM ${RUNTIME_BASE} AS runtime
COPY --from=build /rootfs/ /
ARG VERSION=0.1.0
ARG REVISION=unknown
# Collectors leave each other's containers alone (sidetail.enable), as each leaves its own alone in any case.
LABEL org.opencontainers.image.title="sidetail" \
      org.opencontainers.image.description="Follows what containers write and ships it, tagged with its service" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="scratch" \
      sidetail.enable="false"
USER 65532:65532
VOLUME /var/lib/sidetail
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 CMD ["/sidetail", "health"]
ENTRYPOINT ["/sidetail"]
CMD ["run"]
