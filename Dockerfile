# All images. Targets: `server`, what a SageMaker transform job runs (`docker run IMAGE serve`;
# handler/README.md has its environment variables), and `postprocess`, one image for Lambda (CMD is
# a handler), AWS Batch and SageMaker Processing (CMD is that of faceveil-postprocess).
#
#   docker build --target server --tag faceveil-server .
#   docker build --target postprocess --tag faceveil-postprocess .
#
# `faceveil aws build-images` builds and pushes them in the format that SageMaker takes.
# CUDA (not measured): --build-arg BASE_IMAGE=docker.io/nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04
#                      --build-arg ONNXRUNTIME=onnxruntime-gpu==1.26.0
# 1.26 is built for CUDA 12, as the base image is; SageMaker's drivers do not run CUDA 13.
# Behind a proxy with its own certificates: mount them, and give their path as PIP_CERT and
# NODE_EXTRA_CA_CERTS.
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim

# What both images start from.
FROM ${BASE_IMAGE} AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3.11 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && useradd --no-create-home --uid 1000 faceveil
ENV PATH=/opt/faceveil/venv/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/faceveil

# pip, outside the environment that it fills. Requirements pin everything with its sha256: nothing
# is resolved here.
FROM base AS tools
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3.11-venv \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && python3.11 -m venv /tools \
    && python3.11 -m venv --without-pip /opt/faceveil/venv
ENV PIP_INSTALL="/tools/bin/pip --python /opt/faceveil/venv/bin/python install --no-cache-dir --no-deps"
WORKDIR /build

FROM tools AS server-packages
ARG PIP_CERT
ARG ONNXRUNTIME=onnxruntime
COPY handler/requirements.txt ./
# another onnxruntime has other sums
RUN cp requirements.txt wanted.txt \
    && if [ "${ONNXRUNTIME}" != onnxruntime ]; then \
      sed -i -e 's/ *\\$//; /--hash/d' -e "s/^onnxruntime==.*/${ONNXRUNTIME}/" wanted.txt; fi \
    && ${PIP_INSTALL} --requirement wanted.txt
# of OpenVINO what runs ONNX files on the processor: 100 MB of 180
RUN cd /opt/faceveil/venv/lib/python3.11/site-packages/openvino \
    && rm -rf include tools libs/cache.json \
       libs/libopenvino_intel_[gn]pu_plugin.so libs/libopenvino_*auto*_plugin.so libs/libopenvino_hetero_plugin.so \
       $(ls libs/libopenvino_*_frontend.so* | grep -v -e _ir_ -e _onnx_)

FROM tools AS postprocess-packages
ARG PIP_CERT
COPY postprocess_lambda/requirements.txt ./
RUN ${PIP_INSTALL} --requirement requirements.txt

# --build-arg EXTRAS=dlib: what other networks need (handler/README.md), none by default.
FROM server-packages AS server-extras
ARG EXTRAS=""
ARG PIP_CERT
COPY handler/requirements-*.txt ./
RUN for extra in ${EXTRAS}; do \
      ${PIP_INSTALL} --require-hashes --requirement "requirements-${extra}.txt" || exit 1; \
    done

FROM postprocess-packages AS postprocess-extras
ARG EXTRAS=""
ARG PIP_CERT
COPY handler/requirements-*.txt ./
RUN for extra in ${EXTRAS}; do \
      ${PIP_INSTALL} --require-hashes --requirement "requirements-${extra}.txt" || exit 1; \
    done

# The networks: fetched, checked by sha256 and converted; the same files as in model.tar.gz. Only
# what makes them is copied, so that other changes keep this layer.
FROM postprocess-packages AS converter
ARG PIP_CERT
COPY model/requirements.txt model-requirements.txt
RUN python -m ensurepip \
    && ${PIP_INSTALL} --requirement model-requirements.txt \
    && mkdir -p /opt/faceveil/weights
ENV PYTHONPATH=/build
COPY faceveil/__init__.py faceveil/errors.py faceveil/
COPY faceveil/weights/ faceveil/weights/
COPY model/ model/

FROM converter AS server-weights
ARG PIP_CERT
ARG NODE_EXTRA_CA_CERTS
RUN python -m model.build --output model.tar.gz \
    && tar --extract --file model.tar.gz --directory /opt/faceveil/weights

# Those that detect faces in photos and in the output, and the one that finds shots.
FROM converter AS postprocess-weights
ARG PIP_CERT
ARG NODE_EXTRA_CA_CERTS
RUN python -m model.build --output model.tar.gz --network mtcnn --network centerface \
       --network arcface-mobilefacenet --network transnetv2 \
    && tar --extract --file model.tar.gz --directory /opt/faceveil/weights

# The root file system may be read-only: nothing but /tmp is written. The user is root, since
# SageMaker runs containers as root and creates /tmp and /opt/ml/processing/output for root alone;
# Lambda brings a user of its own, and terraform/ gives AWS Batch the user 1000.
FROM base AS postprocess
ARG USER=root
LABEL faceveil.networks="mtcnn centerface arcface-mobilefacenet transnetv2" \
      org.opencontainers.image.title="faceveil postprocess" \
      org.opencontainers.image.licenses=MIT
COPY --from=postprocess-extras /opt/faceveil/venv /opt/faceveil/venv
COPY --from=postprocess-weights /opt/faceveil/weights /opt/faceveil/weights
COPY faceveil/ /opt/faceveil/faceveil/
COPY postprocess_lambda/ /opt/faceveil/postprocess_lambda/
RUN python -m compileall -q /opt/faceveil/faceveil /opt/faceveil/postprocess_lambda
ENV FACEVEIL_WEIGHTS=/opt/faceveil/weights
WORKDIR /tmp
USER ${USER}
ENTRYPOINT ["/opt/faceveil/venv/bin/python", "-m", "postprocess_lambda"]
CMD ["postprocess_lambda.app.handler"]

# `docker run faceveil-live SOURCE SINK`: faceveil live, with the same networks.
FROM postprocess AS live
LABEL org.opencontainers.image.title="faceveil live"
ENTRYPOINT ["/opt/faceveil/venv/bin/python", "-m", "faceveil", "live"]
CMD ["--help"]

# The Java part of the server, and a Java runtime with only the modules it uses.
FROM server-packages AS java
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils openjdk-17-jdk-headless \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
RUN jlink --output /opt/faceveil/java --strip-debug --no-header-files --no-man-pages --compress=2 \
    --add-modules java.base,java.desktop,java.logging,java.management,java.naming,java.sql,jdk.unsupported
ENV PYTHONPATH=/build
COPY faceveil/__init__.py faceveil/errors.py faceveil/
COPY handler/__init__.py handler/
COPY handler/plugin/ handler/plugin/
RUN python -m handler.plugin.build --output /opt/faceveil/plugin.jar

FROM base AS server
ARG USER=root
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true \
      faceveil.networks="mtcnn centerface arcface-mobilefacenet" \
      org.opencontainers.image.title="faceveil server" \
      org.opencontainers.image.licenses=MIT
COPY --from=server-extras /opt/faceveil/venv /opt/faceveil/venv
COPY --from=java /opt/faceveil/java /opt/faceveil/java
COPY --from=java /opt/faceveil/plugin.jar /opt/faceveil/plugin.jar
COPY --from=server-weights /opt/faceveil/weights /opt/faceveil/weights
COPY faceveil/ /opt/faceveil/faceveil/
COPY handler/ /opt/faceveil/handler/
RUN python -m compileall -q /opt/faceveil/faceveil /opt/faceveil/handler
ENV JAVA_HOME=/opt/faceveil/java \
    FACEVEIL_IMAGE_WEIGHTS=/opt/faceveil/weights \
    FACEVEIL_MMS_PLUGIN=/opt/faceveil/plugin.jar
WORKDIR /tmp
USER ${USER}
EXPOSE 8080
ENTRYPOINT ["/opt/faceveil/venv/bin/python", "-m", "handler.entrypoint"]
CMD ["serve"]
