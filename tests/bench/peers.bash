# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154

# How each measured peer is started.  start_NAME DIR starts one instance whose
# files live in DIR, sets PEER_PORT to the loopback port that load is put on
# and PEER_PIDS to its processes in the order in which they are to be ended.
# Tunnels lead to $backend_port, or as frames to the socket $work/sink;
# reverse proxies to $upstream_port.

host=mcp.bench.test

# Keys and certificates, made once in $work/keys.
keys_make()
{
	local dir=$work/keys

	mkdir "$dir"
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$dir/ssh_host"
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$dir/ssh_user"
	dropbearkey -t ed25519 -f "$dir/dropbear_host" >"$dir/log" 2>&1
	dropbearkey -t ed25519 -f "$dir/dropbear_user" >"$dir/log" 2>&1
	mkdir -p "$dir/home/.ssh"
	dropbearkey -y -f "$dir/dropbear_user" |
		grep '^ssh-' >"$dir/home/.ssh/authorized_keys"
	chmod -R go= "$dir"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-days 2 -subj "/CN=$host" -addext "subjectAltName=DNS:$host" \
		-keyout "$dir/tls.key" -out "$dir/tls.crt" 2>"$dir/log"
	cat "$dir/tls.crt" "$dir/tls.key" >"$dir/tls.pem"
}

start_direct()
{
	PEER_PORT=$backend_port
	PEER_PIDS=
}

# own_start NAME DIR ARGUMENT... starts one of our programs and sets OWN_PID
# and OWN_READY, the line that it writes when it serves.
own_start()
{
	local name=$1 dir=$2

	shift 2
	mkfifo "$dir/$name.ready"
	"$bin/$name" "$@" --ready-fd 3 3>"$dir/$name.ready" \
		2>"$dir/$name.log" &
	OWN_PID=$!
	read -r -t 10 OWN_READY <"$dir/$name.ready" && return
	tail -n 5 "$dir/$name.log" >&2
	die "$name: not ready"
}

# The streams are plain bytes behind a ClientHello that names $host.
start_adit()
{
	local dir=$1 edge

	"$bin/tunnel-edge" init --state "$dir/edge" --name 127.0.0.1 \
		>"$dir/log"
	(umask 077 && "$bin/tunnel-edge" add --state "$dir/edge" \
		--domain "$host" bench >"$dir/token")
	own_start tunnel-edge "$dir" run -q --state "$dir/edge" \
		--agents 127.0.0.1:0 --connectors 127.0.0.1:0
	edge=$OWN_PID
	[[ $OWN_READY =~ agents=([0-9]+)\ connectors=([0-9]+) ]] ||
		die "tunnel-edge: $OWN_READY"
	PEER_PORT=${BASH_REMATCH[1]}
	own_start tunnel-up "$dir" -q --ca "$dir/edge/ca.crt" \
		--edge "127.0.0.1:${BASH_REMATCH[2]}" \
		--token-file "$dir/token" --connect "$work/sink"
	PEER_PIDS="$OWN_PID $edge"
}

# sshd refuses an account whose password is locked unless PAM decides.
account_pam()
{
	if [[ $(passwd -S 2>/dev/null) == *' L '* ]]; then
		echo yes
	else
		echo no
	fi
}

start_ssh()
{
	local dir=$1 port sshd

	port=$(load port)
	PEER_PORT=$(load port)
	# Run by root, sshd wants its empty directory, which boot makes.
	((EUID != 0)) || mkdir -p /run/sshd
	cat >"$dir/sshd.conf" <<-EOF
		Port $port
		ListenAddress 127.0.0.1
		HostKey $work/keys/ssh_host
		AuthorizedKeysFile $work/keys/ssh_user.pub
		PermitRootLogin prohibit-password
		PasswordAuthentication no
		StrictModes no
		UsePAM $(account_pam)
		PidFile none
	EOF
	/usr/sbin/sshd -D -e -f "$dir/sshd.conf" 2>"$dir/sshd.log" &
	sshd=$!
	port_wait "$port" "$dir/sshd.log"
	ssh -F none -N -T -p "$port" -i "$work/keys/ssh_user" \
		-o IdentityAgent=none -o IdentitiesOnly=yes \
		-o StrictHostKeyChecking=accept-new \
		-o UserKnownHostsFile="$dir/known_hosts" \
		-o ExitOnForwardFailure=yes -c aes128-gcm@openssh.com \
		-R "127.0.0.1:$PEER_PORT:127.0.0.1:$backend_port" \
		"$(id -un)@127.0.0.1" 2>"$dir/ssh.log" &
	PEER_PIDS="$! $sshd"
}

# dropbear takes authorized keys from the account's home directory only, so
# it runs in a mount namespace of its own where that is ours.  Without root
# that takes a user namespace to mount in and one to be ourselves again.
start_dropbear()
{
	local dir=$1 port server private=(unshare -m) self=()

	if ((EUID != 0)); then
		private=(unshare -r -m)
		self=(unshare "--map-user=$EUID" "--map-group=$(id -g)")
	fi
	port=$(load port)
	PEER_PORT=$(load port)
	# shellcheck disable=SC2016
	"${private[@]}" sh -c \
		'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh \
		"$work/keys/home" ~ "${self[@]}" \
		/usr/sbin/dropbear -F -E -s -m -r "$work/keys/dropbear_host" \
		-P "$dir/pid" -p "127.0.0.1:$port" 2>"$dir/dropbear.log" &
	server=$!
	port_wait "$port" "$dir/dropbear.log"
	HOME=$dir dbclient -y -y -N -T -i "$work/keys/dropbear_user" \
		-p "$port" -R "127.0.0.1:$PEER_PORT:127.0.0.1:$backend_port" \
		"$(id -un)@127.0.0.1" 2>"$dir/dbclient.log" &
	PEER_PIDS="$! $server"
}

start_stunnel()
{
	local dir=$1 port server

	port=$(load port)
	PEER_PORT=$(load port)
	cat >"$dir/common.conf" <<-EOF
		foreground = yes
		syslog = no
		debug = err
		pid =
		sslVersion = TLSv1.3
		ciphersuites = TLS_AES_128_GCM_SHA256
		socket = l:TCP_NODELAY=1
		socket = r:TCP_NODELAY=1
	EOF
	cat "$dir/common.conf" - >"$dir/server.conf" <<-EOF
		[bench]
		accept = 127.0.0.1:$port
		connect = 127.0.0.1:$backend_port
		cert = $work/keys/tls.pem
	EOF
	cat "$dir/common.conf" - >"$dir/client.conf" <<-EOF
		[bench]
		client = yes
		accept = 127.0.0.1:$PEER_PORT
		connect = 127.0.0.1:$port
		CAfile = $work/keys/tls.crt
		verifyChain = yes
	EOF
	stunnel4 "$dir/server.conf" >"$dir/server.log" 2>&1 &
	server=$!
	stunnel4 "$dir/client.conf" >"$dir/client.log" 2>&1 &
	PEER_PIDS="$! $server"
}

start_upstream()
{
	PEER_PORT=$upstream_port
	PEER_PIDS=
}

start_mcp_proxy()
{
	own_proxy_start "$1" </dev/null
}

# With a policy of lists; and one with a program, which is asked about each
# request and each answer.
start_mcp_proxy_lists()
{
	own_proxy_start "$1" <<<'policy: {tools: ["ec*"], methods: ["tools/*"]}'
}

start_mcp_proxy_program()
{
	echo 'if .name == "rm" then "no" else true end' >"$1/policy.jq"
	own_proxy_start "$1" <<<"policy: {program: $1/policy.jq}"
}

# own_proxy_start DIR: standard input is added to its configuration.
own_proxy_start()
{
	local dir=$1

	PEER_PORT=$(load port)
	cat >"$dir/proxy.yaml" <<-EOF
		listen_addr: 127.0.0.1:$PEER_PORT
		tls:
		  cert_file: $work/keys/tls.crt
		  key_file: $work/keys/tls.key
		routes:
		  $host: http://127.0.0.1:$upstream_port
		upstream:
		  allowed_ips: [127.0.0.1]
	EOF
	cat >>"$dir/proxy.yaml"
	own_start mcp-proxy "$dir" -q --config "$dir/proxy.yaml"
	PEER_PIDS=$OWN_PID
}

# The same, telling a file of each request.
start_mcp_proxy_audit()
{
	own_proxy_start "$1" <<<"audit: $1/audit"
}

start_nginx()
{
	local dir=$1 user=

	((EUID != 0)) || user="user $(id -un);"
	PEER_PORT=$(load port)
	cat >"$dir/nginx.conf" <<-EOF
		daemon off;
		$user
		worker_processes 1;
		pid $dir/pid;
		error_log $dir/error.log;
		events { worker_connections 4096; }
		http {
			access_log off;
			client_body_temp_path $dir/body;
			proxy_temp_path $dir/proxy;
			fastcgi_temp_path $dir/fastcgi;
			uwsgi_temp_path $dir/uwsgi;
			scgi_temp_path $dir/scgi;
			keepalive_requests 100000000;
			upstream mcp {
				server 127.0.0.1:$upstream_port;
				keepalive 64;
				keepalive_requests 100000000;
			}
			server {
				listen 127.0.0.1:$PEER_PORT ssl backlog=4096;
				server_name $host;
				ssl_certificate $work/keys/tls.crt;
				ssl_certificate_key $work/keys/tls.key;
				ssl_protocols TLSv1.3;
				ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
				location / {
					proxy_pass http://mcp;
					proxy_http_version 1.1;
					proxy_set_header Connection "";
					proxy_set_header Host \$host;
					proxy_buffering off;
				}
			}
		}
	EOF
	nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log" \
		>"$dir/log" 2>&1 &
	PEER_PIDS=$!
}

start_haproxy()
{
	local dir=$1

	PEER_PORT=$(load port)
	cat >"$dir/haproxy.cfg" <<-EOF
		global
			nbthread 1
			maxconn 4096
			ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
			ssl-default-bind-options ssl-min-ver TLSv1.3
		defaults
			mode http
			option http-no-delay
			timeout connect 5s
			timeout client 60s
			timeout server 60s
		frontend https
			bind 127.0.0.1:$PEER_PORT ssl crt $work/keys/tls.pem
			use_backend mcp if { hdr(host) -i $host }
		backend mcp
			http-reuse always
			server mcp 127.0.0.1:$upstream_port
	EOF
	haproxy -db -f "$dir/haproxy.cfg" >"$dir/log" 2>&1 &
	PEER_PIDS=$!
}
