#!/usr/bin/env python3
"""Writes a PEM bundle as a Java keystore: deps/truststore.py BUNDLE KEYSTORE.

Other programs read $SSL_CERT_FILE; Java reads only keystores, and keytool takes one certificate at a time.  The format (JKS, version 2):
magic, version, count; for each certificate tag 2, alias, time, type, DER; then SHA-1 over password, "Mighty Aphrodite" and all of that.
"""
import hashlib
import re
import ssl
import struct
import sys

PASSWORD = "changeit"


def text(value):
    return struct.pack(">H", len(value)) + value.encode()


def keystore(certificates):
    body = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for number, der in enumerate(certificates):
        body += struct.pack(">I", 2) + text(f"certificate-{number}") + struct.pack(">Q", 0) + text("X.509") + struct.pack(">I", len(der)) + der
    return body + hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()


def main():
    bundle, out = sys.argv[1:3]
    with open(bundle, encoding="latin-1") as file:
        found = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", file.read(), re.S)
    with open(out, "wb") as file:
        file.write(keystore([ssl.PEM_cert_to_DER_cert(pem) for pem in found]))


if __name__ == "__main__":
    main()
