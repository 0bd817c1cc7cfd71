#!/bin/sh
# Certificates for one Dask cluster: an authority of its own, and one certificate for scheduler, workers and clients.
#
#     certificates.sh FOLDER [DAYS]
#
# Writes FOLDER/ca.pem, cert.pem and key.pem (all three go to every machine of the cluster; key.pem is secret: who has it may run
# any program on the workers) and FOLDER/ca-key.pem (not needed again: delete it, or keep it away from the cluster).
set -eu
folder=${1:?folder for the certificates} days=${2:-30}
umask 077
mkdir -p "$folder"
cd "$folder"
if [ -e key.pem ]; then
    echo "$folder/key.pem is there already; delete the folder for new certificates" >&2
    exit 1
fi
openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days "$days" -subj "/CN=pair-curation cluster authority" -keyout ca-key.pem -out ca.pem
openssl req -newkey rsa:3072 -nodes -sha256 -subj "/CN=pair-curation cluster" -keyout key.pem -out request.pem
openssl x509 -req -sha256 -days "$days" -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out cert.pem
rm -f request.pem ca.srl
