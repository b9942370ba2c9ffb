# What a shell that runs a block of a document reads first: see doc_world.py. A command that fails is written down with its
# place, also where the shell would go on: before && and in $(...).
set -euo pipefail

fault() {
    echo "$DOCUMENT:${BASH_LINENO[1]}: $1" >> "$FAULTS"
}

# Degraded (3) is a way in which a run, an ingest, a job, a bulletin and a check of a table may end well; and the gate may refuse.
hazecast() {
    local code=0
    $HAZECAST_CALL "$@" || code=$?
    case "$code $*" in
        "0 "*) ;;
        "3 run"* | "3 ingest"* | "3 jobs run"* | "3 bulletin"* | "3 observations check"*) ;;
        "2 models promote $MODEL") ;;
        *) fault "hazecast $*: exit code $code"; return "$code" ;;
    esac
}

# A status of 400 or more is a failure. A stream (-N) has no end: what came within two seconds is looked at.
curl() {
    local code=0 stream=
    case " $* " in *" -N "*) stream="--max-time 2" ;; esac
    command curl -sS --fail-with-body $stream "$@" || code=$?
    if [ -n "$stream" ] && [ "$code" = 28 ]; then code=0; fi
    if [ "$code" != 0 ]; then fault "curl $*: exit code $code"; return "$code"; fi
}

# Make is only asked whether it could.
make() {
    command make --no-print-directory -n -C "$ROOT" "$@" > /dev/null || { fault "make $*: no such target"; return 2; }
}

add_key() {
    hazecast accounts add "$1" --name "$1" --role "$2"
    KEY=$(hazecast accounts key add "$1" --label desk)
    export KEY
    KEY_ID=$(echo "$KEY" | cut -d_ -f2)
}

add_subscription() {
    ID=$(curl "127.0.0.1:$HAZECAST_PORT/v1/subscriptions" -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \
        -d '{"name": "desk", "channel": "stream"}' | sed 's/.*"id": *"\([^"]*\)".*/\1/')
}

add_study_job() {
    local jobs="127.0.0.1:$HAZECAST_PORT/v1/study-jobs" key="Authorization: Bearer $KEY"
    JOB=$(curl "127.0.0.1:$HAZECAST_PORT/v1/studies/budget/jobs" -H "$key" -H "Content-Type: application/json" \
        -d '{"table": "component,kind,value\na,standard,1\n"}' | grep -o 'job_[a-z0-9]*' | head -n 1)
    until curl -H "$key" "$jobs/$JOB" | grep -q '"done"'; do sleep 0.2; done
}

make_secrets() {
    NEW=$(hazecast subscribers new-key)
    OLD=$(hazecast subscribers new-key)
}

serve_world() {
    hazecast serve --no-scheduler
}

lead() {
    HAZECAST_PORT=$SECOND_PORT hazecast serve
    until $HAZECAST_CALL jobs check; do sleep 0.2; done
}
