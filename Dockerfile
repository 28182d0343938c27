# Images of the API and the worker, on .NET's own images (Ubuntu).
#   docker build --target api -t temper-api .
#   docker build --target worker -t temper-worker .
#   docker build --target worker-gpu -t temper-worker-gpu .

FROM mcr.microsoft.com/dotnet/sdk:10.0 AS source
RUN apt-get update && apt-get install -y --no-install-recommends cmake g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Directory.Build.props Directory.Build.targets Directory.Packages.props ./
COPY src src

FROM source AS publish-api
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm && rm -rf /var/lib/apt/lists/*
RUN dotnet publish src/Api -c Release -o /app && test -f /app/dashboard/index.html

FROM source AS publish-worker
RUN dotnet publish src/Worker -c Release -r linux-x64 --self-contained false -o /app && test -f /app/libtemper_kernels.so

FROM source AS publish-worker-gpu
RUN dotnet publish src/Worker -c Release -r linux-x64 --self-contained false -p:Cuda=true -o /app

FROM mcr.microsoft.com/dotnet/aspnet:10.0 AS base
ENV TEMPER_HOME=/var/lib/temper
RUN install -d -o "$APP_UID" "$TEMPER_HOME"
WORKDIR /app
USER $APP_UID

FROM base AS api
USER root
RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
USER $APP_UID
COPY --from=publish-api /app /app
ENV ASPNETCORE_URLS=http://0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s CMD curl -sf http://127.0.0.1:8080/health/live || exit 1
ENTRYPOINT ["/app/Temper.Api"]

FROM base AS worker
COPY --from=publish-worker /app /app
ENTRYPOINT ["/app/Temper.Worker"]

# CUDA's libraries come with TorchSharp-cuda-linux; the driver comes from the host, through the NVIDIA container toolkit.
FROM base AS worker-gpu
COPY --from=publish-worker-gpu /app /app
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENTRYPOINT ["/app/Temper.Worker"]
