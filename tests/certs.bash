# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Certificates for tests of TLS, made by openssl(1): none of our code, nor GnuTLS's.

# certs_make DIR: below it a folder for each kind of end, as --tls-creds takes it.
#	good		server.example, localhost, 127.0.0.1 (O=Test,CN=server), and a client
#			(O=Test,CN=client)
#	crl		good, with a list of revoked certificates, on which that client is
#	expired		both since yesterday
#	stranger	both of an authority that no other end knows
#	swapped		the client's as a server and the other way round
certs_make()
{
	local dir=$1

	mkdir -p "$dir"
	(
		cd "$dir" || exit
		certs_ca ca
		certs_ca other
		certs_end ca server 'DNS:server.example,DNS:localhost,IP:127.0.0.1' serverAuth 30 11
		certs_end ca client 'DNS:client.example' clientAuth 30 12
		certs_end ca late-server 'DNS:server.example,DNS:localhost' serverAuth -1 13
		certs_end ca late-client 'DNS:client.example' clientAuth -1 14
		certs_end other odd-server 'DNS:server.example,DNS:localhost' serverAuth 30 15
		certs_end other odd-client 'DNS:client.example' clientAuth 30 16
		certs_crl 12
		certs_folder good ca server client
		certs_folder crl ca server client
		cp ca-crl.pem crl/
		certs_folder expired ca late-server late-client
		certs_folder stranger ca odd-server odd-client
		certs_folder swapped ca client server
	) >"$dir/openssl.log" 2>&1 || {
		cat "$dir/openssl.log"
		return 1
	}
}

# certs_ca NAME: an authority.
certs_ca()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-subj "/CN=$1/O=Test" -keyout "$1-key.pem" -out "$1-cert.pem"
}

# certs_end CA NAME SAN PURPOSE DAYS SERIAL
certs_end()
{
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-subj "/O=Test/CN=$2" -keyout "$2-key.pem" -out "$2.csr"
	openssl x509 -req -in "$2.csr" -CA "$1-cert.pem" -CAkey "$1-key.pem" -days "$5" \
		-set_serial "$6" -out "$2-cert.pem" -extfile <(
			echo "subjectAltName=$3"
			echo "extendedKeyUsage=$4"
			echo "basicConstraints=CA:FALSE"
		)
}

# certs_crl SERIAL: ca-crl.pem, on which that certificate of "ca" is.
certs_crl()
{
	local serial

	printf -v serial %02X "$1"
	printf 'R\t491231235959Z\t240101000000Z\t%s\tunknown\t/O=Test/CN=client\n' "$serial" >index.txt
	cat >ca.cnf <<-'END'
		[ca]
		default_ca = it
		[it]
		database = index.txt
		default_md = sha256
		default_crl_days = 30
	END
	openssl ca -gencrl -config ca.cnf -cert ca-cert.pem -keyfile ca-key.pem -out ca-crl.pem
}

# certs_folder NAME CA SERVER CLIENT
certs_folder()
{
	mkdir "$1"
	cp "$2-cert.pem" "$1/ca-cert.pem"
	cp "$3-cert.pem" "$1/server-cert.pem"
	cp "$3-key.pem" "$1/server-key.pem"
	cp "$4-cert.pem" "$1/client-cert.pem"
	cp "$4-key.pem" "$1/client-key.pem"
	chmod 600 "$1"/*-key.pem
}
