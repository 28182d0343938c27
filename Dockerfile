# Images of the API and the worker.
#   docker build --target api -t temper-api .
#   docker build --target worker -t temper-worker .
#   docker build --target worker-gpu --build-arg LIBTORCH_URL=https://… -t temper-worker-gpu .
# The managed code is published self-contained, so the running images need no .NET; the shim is built on the Debian that
# it runs on, against that Debian's libtorch.

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS publish
WORKDIR /source
COPY Directory.Build.props Directory.Packages.props ./
COPY src src
RUN dotnet publish src/Api -c Release -r linux-x64 --self-contained -o /app/api
# The shim comes from the stages below.
RUN dotnet publish src/Worker -c Release -r linux-x64 --self-contained -p:BuildNative=false -o /app/worker

FROM debian:bookworm-slim AS shim
RUN apt-get update && apt-get install -y --no-install-recommends cmake make g++ libtorch-dev && rm -rf /var/lib/apt/lists/*
COPY src/Torch/native /native
RUN cmake -S /native -B /build && cmake --build /build --parallel

FROM debian:bookworm-slim AS base
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/temper temper
ENV TEMPER_HOME=/var/lib/temper
WORKDIR /app
USER temper

FROM base AS api
COPY --from=publish /app/api /app
ENV ASPNETCORE_URLS=http://0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s CMD curl -sf http://127.0.0.1:8080/health/live || exit 1
ENTRYPOINT ["/app/Temper.Api"]

FROM base AS worker
USER root
RUN apt-get update && apt-get install -y --no-install-recommends libtorch1.13 libopenblas0-openmp && rm -rf /var/lib/apt/lists/*
USER temper
COPY --from=publish /app/worker /app
COPY --from=shim /build/libtemper_torch.so /app/
ENTRYPOINT ["/app/Temper.Worker"]

# For GPU nodes: libtorch 2.x with CUDA from its zip (the C++11 ABI build), on NVIDIA's image for the matching CUDA.
FROM nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04 AS shim-gpu
ARG LIBTORCH_URL
RUN apt-get update && apt-get install -y --no-install-recommends cmake make g++ unzip curl ca-certificates && rm -rf /var/lib/apt/lists/*
RUN test -n "$LIBTORCH_URL" || { echo "Set --build-arg LIBTORCH_URL to a libtorch zip with CUDA 12.8"; exit 1; }
RUN curl -fsSL "$LIBTORCH_URL" -o /tmp/libtorch.zip && unzip -q /tmp/libtorch.zip -d /opt && rm /tmp/libtorch.zip
COPY src/Torch/native /native
RUN cmake -S /native -B /build -DLIBTORCH=/opt/libtorch && cmake --build /build --parallel

FROM nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04 AS worker-gpu
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libgomp1 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/temper temper
COPY --from=shim-gpu /opt/libtorch/lib /opt/libtorch/lib
COPY --from=publish /app/worker /app
COPY --from=shim-gpu /build/libtemper_torch.so /app/
ENV TEMPER_HOME=/var/lib/temper LD_LIBRARY_PATH=/opt/libtorch/lib
WORKDIR /app
USER temper
ENTRYPOINT ["/app/Temper.Worker"]
