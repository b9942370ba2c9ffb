# With PDF and PostgreSQL, PyTorch as the index of packages has it:
#   docker build -t hazecast .
# With other extras, and PyTorch from another index (its builds for CPU, or for a version of CUDA):
#   docker build -t hazecast --build-arg EXTRAS=all --build-arg TORCH_INDEX=URL .
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
ARG TORCH_INDEX=
ARG EXTRAS=pdf,postgres,tables
WORKDIR /src
RUN python -m venv /opt/hazecast
COPY constraints.txt ./
RUN torch="$(grep '^torch==' constraints.txt)" \
    && /opt/hazecast/bin/pip install --no-cache-dir ${TORCH_INDEX:+--index-url "${TORCH_INDEX}"} "${torch}"
COPY pyproject.toml README.md LICENSE NOTICE ./
# The package's rooms are links in src/hazecast to these folders.
COPY src src
COPY grids grids
COPY models models
COPY forecast forecast
COPY alerts alerts
COPY services services
RUN /opt/hazecast/bin/pip install --no-cache-dir -c constraints.txt ".${EXTRAS:+[${EXTRAS}]}"

FROM python:${PYTHON}-slim-bookworm
RUN useradd --system --uid 10001 --create-home hazecast \
    && install -d -o hazecast -g hazecast /data
COPY --from=build /opt/hazecast /opt/hazecast
ENV PATH=/opt/hazecast/bin:$PATH HAZECAST_DATA_DIR=/data HAZECAST_HOST=0.0.0.0 PYTHONUNBUFFERED=1 \
    # The root may be read-only: caches go where a tmpfs can be.
    MPLCONFIGDIR=/tmp/matplotlib XDG_CACHE_HOME=/tmp/cache
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/v1/healthz', timeout=4)"]
CMD ["hazecast", "serve"]
