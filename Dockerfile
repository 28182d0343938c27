# Images of the API and the worker, on .NET's own images (Ubuntu 24.04).
#   docker build --platform linux/amd64 --target api -t temper-api .
#   docker build --platform linux/amd64 --target worker -t temper-worker .
#   docker build --platform linux/amd64 --target worker-gpu -t temper-worker-gpu .
# They are for x86-64 only, as the packages of libtorch are.
#
# The tags below move. Pin each to its digest:
#   docker buildx imagetools inspect mcr.microsoft.com/dotnet/sdk:10.0-noble --format '{{.Manifest.Digest}}'
#   docker build --build-arg SDK=mcr.microsoft.com/dotnet/sdk:10.0-noble@sha256:… --build-arg RUNTIME=…@sha256:… …
# No digest stands here, because no registry of images was reachable where this file was written. The images were not built there;
# bench/records/images.md says what was run instead.

ARG SDK=mcr.microsoft.com/dotnet/sdk:10.0-noble
# Chiseled: no shell, no package manager, and the user is app (1654) already. libtorch brings its own libgomp; libtorch, SkiaSharp and
# ONNX Runtime need no library beyond libc, libgcc and libstdc++, which the image has. It has no ICU: Temper is globalization-invariant.
ARG RUNTIME=mcr.microsoft.com/dotnet/aspnet:10.0-noble-chiseled
# With a shell and ldconfig, which the NVIDIA container toolkit runs in the container.
ARG GPU_RUNTIME=mcr.microsoft.com/dotnet/aspnet:10.0-noble

FROM ${SDK} AS source
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# Debian's and Ubuntu's mirrors keep only the latest version of a package, so a pinned version would stop the build one day.
RUN test "$(uname -m)" = x86_64 && apt-get update && apt-get install -y --no-install-recommends cmake g++ make nodejs npm && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Directory.Build.props Directory.Build.targets Directory.Packages.props ./
COPY src src
# What /version and the traces say. MSBuild reads these variables as properties.
ARG VERSION=1.0.0
ARG REVISION
ENV Version=${VERSION} SourceRevisionId=${REVISION}
# Copied into the images as folders that the service may write to.
RUN install -d -o 1654 -g 1654 /writable

FROM source AS publish-api
RUN dotnet publish src/Api -c Release -r linux-x64 --self-contained false -o /app && test -f /app/dashboard/index.html

FROM source AS publish-worker
RUN dotnet publish src/Worker -c Release -r linux-x64 --self-contained false -o /app && test -f /app/libtemper_kernels.so

FROM source AS publish-worker-gpu
RUN dotnet publish src/Worker -c Release -r linux-x64 --self-contained false -p:Cuda=true -o /app && test -f /app/libtemper_kernels.so

FROM ${RUNTIME} AS api
COPY --from=publish-api /app /app
# Files of requests; see TMPDIR in docs/configuration.md.
COPY --from=source --chown=1654:1654 /writable /var/lib/temper
ENV ASPNETCORE_URLS=http://0.0.0.0:8080 TMPDIR=/var/lib/temper DOTNET_EnableDiagnostics=0
WORKDIR /app
USER 1654
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/app/Temper.Api", "health"]
ENTRYPOINT ["/app/Temper.Api"]

FROM ${RUNTIME} AS worker
COPY --from=publish-worker /app /app
COPY --from=source --chown=1654:1654 /writable /var/lib/temper
ENV TEMPER_HOME=/var/lib/temper Worker__AliveFile=/tmp/alive DOTNET_EnableDiagnostics=0
WORKDIR /app
USER 1654
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["/app/Temper.Worker", "health"]
ENTRYPOINT ["/app/Temper.Worker"]

# CUDA's libraries come with TorchSharp-cuda-linux; the driver comes from the host, through the NVIDIA container toolkit.
FROM ${GPU_RUNTIME} AS worker-gpu
COPY --from=publish-worker-gpu /app /app
COPY --from=source --chown=1654:1654 /writable /var/lib/temper
ENV TEMPER_HOME=/var/lib/temper Worker__AliveFile=/tmp/alive DOTNET_EnableDiagnostics=0 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /app
USER 1654
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["/app/Temper.Worker", "health"]
ENTRYPOINT ["/app/Temper.Worker"]
