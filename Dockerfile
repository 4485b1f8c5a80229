# The hub without a compiler, without a shell script, and without root.
FROM python:3.11-slim AS build
WORKDIR /build
COPY constraints/hub.txt constraints/hub.txt
COPY pyproject.toml README.md LICENSE ./
COPY hub hub
COPY connectors connectors
COPY sandbox sandbox
COPY schemas schemas
RUN python -m venv /app && /app/bin/pip install --quiet --no-cache-dir --constraint constraints/hub.txt .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/toolhub --create-home --shell /usr/sbin/nologin toolhub
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 TOOLHUB_HOME=/var/lib/toolhub TOOLHUB_HOST=0.0.0.0 TOOLHUB_PORT=8420
WORKDIR /var/lib/toolhub
USER 10001
EXPOSE 8420
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8420/readyz', timeout=2)"]
ENTRYPOINT ["toolhub"]
CMD ["serve"]
