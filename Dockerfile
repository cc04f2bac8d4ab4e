# Two stages on one lock file. `docker build --target cpu -t earshot .`   `docker build --target gpu -t earshot:gpu .`
# Run with `--shm-size=1g`: Triton's Python backend keeps its tensors in /dev/shm.
FROM python:3.11-slim-bookworm AS cpu
WORKDIR /opt/earshot
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make setup && useradd --system --home-dir /opt/earshot earshot && chown -R earshot /opt/earshot
USER earshot
# Beyond one machine the server wants TLS: set EARSHOT_TLS_CERTIFICATE and EARSHOT_TLS_KEY (or EARSHOT_ALLOW_PLAINTEXT=1
# behind a proxy that encrypts); it refuses to start otherwise.
ENV EARSHOT_LISTEN=0.0.0.0:8471
EXPOSE 8471
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/earshot/.venv/bin/earshot"]
CMD ["serve"]

# The same locked environment; the extra adds GPU builds of the model runtimes on top.
FROM cpu AS gpu
USER root
RUN .venv/bin/pip install --no-cache-dir -c requirements.lock ".[gpu]"
USER earshot
