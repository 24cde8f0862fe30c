# Serves <script>alert(?x?)</script> | ??(rm -rf ~)? ?&? {{ 7*7 }} [a](http://b) ]]> 1.0.0. Build in this folder:  docker build -t NAME .
# Two stages, a virtual environment of hashed wheels, no compiler and no pip in the image that runs, uid 10001.
ARG BASE=registry.example:5000/python:3.12-slim@sha256:0000000000000000000000000000000000000000000000000000000000000000

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv --without-pip /opt/venv
WORKDIR /build
COPY requirements.txt .
RUN python -m pip --python /opt/venv/bin/python install --no-compile --require-hashes --only-binary=:all: -r requirements.txt \
 && find /opt/venv -depth -type d -name tests -prune -exec rm -rf {} +

FROM ${BASE} AS run
LABEL org.opencontainers.image.title="<script>alert('x')</script> | `\$(rm -rf ~)` \"&\\ {{ 7*7 }} [a](http://b) ]]>" \
      org.opencontainers.image.version="1.0.0" \
      neuroloom.run="r-1"
ENV PATH=/opt/venv/bin:$PATH ORT_DISABLE_TELEMETRY=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --system --gid 10001 app \
 && useradd --system --uid 10001 --gid 10001 --home-dir /app --shell /usr/sbin/nologin app
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY ["attempts/2/scripts/serve.py", "scripts/serve.py"]
COPY ["attempts/2/scripts/rows", "scripts/rows"]
COPY ["attempts/2/models/model.onnx", "attempts/2/models/preprocessing.json", "models/model-metadata.json", "models/"]
USER 10001:10001
EXPOSE 9000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9000/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["python", "-P", "scripts/serve.py", "--host", "0.0.0.0", "--port", "9000"]
