# One image for every role: worker, scheduler, console, migrations.
# For a smaller image without CUDA: --build-arg PIP_EXTRA_INDEX_URL=<PyTorch's index of CPU builds>
FROM python:3.12-slim AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/opinion
WORKDIR /src
# Dependencies first: their layer stays while only our code changes.
COPY pyproject.toml constraints.txt README.md ./
RUN mkdir core streams models storage alerts web opinion opinion_client \
    && /opt/opinion/bin/pip install --constraint constraints.txt . \
    && /opt/opinion/bin/pip uninstall --yes opinion-pipeline
COPY . .
RUN /opt/opinion/bin/pip install --no-deps --constraint constraints.txt .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/opinion --create-home opinion \
    && install --directory --owner opinion /run/reader
COPY --from=build /opt/opinion /opt/opinion
ENV PATH=/opt/opinion/bin:$PATH PYTHONUNBUFFERED=1 OPINION_HOME=/var/lib/opinion
USER opinion
WORKDIR /var/lib/opinion
VOLUME /var/lib/opinion
EXPOSE 8080 8090
# The worker's and scheduler's probes; the console overrides this with its own port.
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8090/healthz', timeout=3)"]
ENTRYPOINT []
CMD ["opinion", "--help"]
