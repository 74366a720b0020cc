#!/bin/sh
# secrets.sh FOLDER: makes the secrets that docker-compose.yml mounts. What is there already stays as it is.
# The files are readable to the containers' users; the folder keeps everybody else out.
set -eu
folder=$1
umask 022
mkdir -p "$folder"
chmod 700 "$folder"

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -s "$folder/$1" ] || { printf '%s' "$2" >"$folder/$1"; echo "made $folder/$1"; }; }

keep secret_key "$(random)$(random)"
keep database_password "$(random)"
keep database_url "postgres://faultline:$(cat "$folder/database_password")@database:5432/faultline"
keep broker_password "$(random)"
password=$(cat "$folder/broker_password")
keep broker_url "amqp://faultline:$password@broker:5672//"
keep broker_settings "default_user = faultline
default_pass = $password
"
if [ ! -s "$folder/ssh_key" ]; then
  if ! command -v ssh-keygen >/dev/null; then
    echo "No ssh-keygen here: put the private key of the account on your hosts into $folder/ssh_key." >&2
    exit 1
  fi
  ssh-keygen -q -t ed25519 -N '' -C faultline -f "$folder/ssh_key"
  chmod 644 "$folder/ssh_key"
  echo "made $folder/ssh_key; enrol hosts with $folder/ssh_key.pub"
fi
