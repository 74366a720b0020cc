# The web, the workers and the clock are one image; docker-compose.yml tells them apart.
FROM python:3.13-slim AS packages
RUN python -m venv /opt/faultline
COPY requirements/production.txt /tmp/production.txt
RUN /opt/faultline/bin/pip install --no-cache-dir --require-hashes --no-deps --requirement /tmp/production.txt

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin faultline
COPY --from=packages /opt/faultline /opt/faultline
WORKDIR /srv/faultline
COPY manage.py ./
COPY config ./config
COPY fleet ./fleet
COPY incidents ./incidents
COPY templates ./templates
COPY static ./static
ENV PATH=/opt/faultline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    FAULTLINE_VAR=/tmp/faultline
RUN python -m compileall -q config fleet incidents
USER 10001
EXPOSE 8000
CMD ["uvicorn", "config.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--lifespan", "off", "--no-server-header", "--timeout-graceful-shutdown", "3"]
