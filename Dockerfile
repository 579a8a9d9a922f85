# The app with CPU torch and the bundled model. One process, not root, nothing written but the cache.
#
#   docker build -t visit .
#   docker run --rm -p 127.0.0.1:8050:8050 visit

FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/visit
ENV PATH=/opt/visit/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# torch first, by itself: it is most of the download and changes least. Only it comes from PyTorch's
# own index, which need not hold what torch depends on at the versions in constraints.txt.
COPY constraints.txt ./
RUN pip install --no-deps --constraint constraints.txt \
    --index-url https://download.pytorch.org/whl/cpu torch
COPY pyproject.toml README.md LICENSE ./
COPY visit ./visit
COPY assets ./assets
RUN pip install --constraint constraints.txt .

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 visit
COPY --from=build /opt/visit /opt/visit
# Models of the hub and whatever else is kept between runs go into the one writable place.
ENV PATH=/opt/visit/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/var/cache/visit/huggingface \
    XDG_CACHE_HOME=/var/cache/visit
RUN install -d -o visit -g visit /var/cache/visit
USER visit
VOLUME /var/cache/visit
EXPOSE 8050
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; assert r.urlopen('http://127.0.0.1:8050/health', timeout=4).read() == b'ok'"]
ENTRYPOINT ["visit"]
# Inside a container only the published port is reachable; publish it on 127.0.0.1.
CMD ["serve", "--host", "0.0.0.0", "--port", "8050"]
