"""``hazecast accounts``: accounts and their API keys, for the operator of the machine."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hazecast.services.cli.options import AsJson, DataDir, current_time, open_store, settings_of
from hazecast.services.cli.output import print_json, stamp

if TYPE_CHECKING:
    from hazecast.services.store.tables.accounts import Account, ApiKey

app = typer.Typer(help="Accounts and their API keys.", no_args_is_help=True)
key_app = typer.Typer(help="The API keys of an account; the text of a key is printed once.", no_args_is_help=True)
app.add_typer(key_app, name="key")

AccountId = Annotated[str, typer.Argument(help="Id of an account, such as beijing-eeb.")]
KeyId = Annotated[str, typer.Argument(help="Id of a key: hz_<id>_...")]
Name = Annotated[str, typer.Option("--name", help="Name of the bureau or person, as the audit shows it.")]
RoleName = Annotated[str, typer.Option("--role", help="public, subscriber, forecaster or administrator.")]
Days = Annotated[int | None, typer.Option("--days", min=1, help="How long it is valid; default HAZECAST_KEY_DAYS.")]
_BY = "command"


@app.command()
def add(account_id: AccountId, name: Name, role: RoleName = "subscriber", data_dir: DataDir = None) -> None:
    """Add an account; then add a key for it."""
    from hazecast.services.accounts.accounts import add_account

    with open_store(settings_of(data_dir)) as store:
        account = add_account(store.sessions, account_id, name=name, role=role, at=current_time())
    print(f"{account.id} added as {account.role}; its first key: hazecast accounts key add {account.id} --label ...")


@app.command(name="list")
def list_accounts(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all accounts."""
    from hazecast.services.accounts.accounts import accounts_of

    with open_store(settings_of(data_dir)) as store:
        found = accounts_of(store.sessions)
    if as_json:
        from hazecast.services.web.schemas.accounts import AccountOut

        print_json([AccountOut.of(account).model_dump(mode="json") for account in found])
        return
    for account in found:
        print(f"{account.id:<24} {account.role:<14} {_state(account):<9} {account.name}")


def _state(account: Account) -> str:
    return "disabled" if account.disabled_at else "in use"


@app.command()
def change(
    account_id: AccountId,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    role: Annotated[str | None, typer.Option("--role", help="Another role.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Give an account another name or role."""
    _change(account_id, data_dir, name=name, role=role)


@app.command()
def disable(account_id: AccountId, data_dir: DataDir = None) -> None:
    """Disable an account: none of its keys is valid any more."""
    _change(account_id, data_dir, disabled=True)


@app.command()
def enable(account_id: AccountId, data_dir: DataDir = None) -> None:
    """Enable a disabled account: its keys are valid again."""
    _change(account_id, data_dir, disabled=False)


def _change(account_id: str, data_dir: Path | None, **changes: Any) -> None:
    from hazecast.services.accounts.accounts import change_account

    with open_store(settings_of(data_dir)) as store:
        account = change_account(store.sessions, account_id, at=current_time(), **changes)
    print(f"{account.id}: {account.name}, {account.role}, {_state(account)}")


@key_app.command(name="add")
def add_one(
    account_id: AccountId,
    label: Annotated[str, typer.Option("--label", help="What it is for.")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="Only this scope; may be repeated. Default: all of the role.")
    ] = None,
    days: Days = None,
    data_dir: DataDir = None,
) -> None:
    """Create a key and print its text, only this once."""
    from hazecast.services.accounts.keys import add_key

    lifetime = _lifetime(days, data_dir)
    with open_store(settings_of(data_dir)) as store:
        made = add_key(
            store.sessions, account_id, label=label, scopes=scope or None, lifetime=lifetime, at=current_time(), by=_BY
        )
    _show_once(*made)


@key_app.command()
def rotate(
    key_id: KeyId,
    overlap_hours: Annotated[
        float, typer.Option("--overlap-hours", min=0, help="How long the old key remains valid.")
    ] = 24.0,
    days: Days = None,
    data_dir: DataDir = None,
) -> None:
    """Create a successor of a key, valid for as long as it was, and print its text, only this once."""
    from hazecast.services.accounts.keys import rotate_key

    lifetime = None if days is None else _lifetime(days, data_dir)
    with open_store(settings_of(data_dir)) as store:
        made = rotate_key(
            store.sessions, key_id, overlap=timedelta(hours=overlap_hours), lifetime=lifetime,
            longest=_lifetime(None, data_dir), at=current_time(), by=_BY,
        )  # fmt: skip
    _show_once(*made)


@key_app.command()
def revoke(key_id: KeyId, data_dir: DataDir = None) -> None:
    """Revoke a key at once and permanently."""
    from hazecast.services.accounts.keys import revoke_key

    with open_store(settings_of(data_dir)) as store:
        key = revoke_key(store.sessions, key_id, at=current_time(), by=_BY)
    since = current_time() if key.revoked_at is None else key.revoked_at
    print(f"{key.id} of {key.account_id} revoked at {stamp(since)}")


@key_app.command(name="list")
def list_keys(account_id: AccountId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys of an account, the newest first."""
    from hazecast.services.accounts.keys import keys_of

    with open_store(settings_of(data_dir)) as store:
        found = keys_of(store.sessions, account_id)
    if as_json:
        from hazecast.services.web.schemas.accounts import KeyOut

        print_json([KeyOut.of(key).model_dump(mode="json") for key in found])
        return
    now = current_time()
    for key in found:
        state = "revoked" if key.revoked_at else "expired" if key.expires_at <= now else "in use"
        used = stamp(key.last_used_at) if key.last_used_at else "never"
        print(
            f"{key.id}  {state:<8} until {key.expires_at:%Y-%m-%d}  last used {used}  {key.label}: {' '.join(key.scopes)}"
        )


def _lifetime(days: int | None, data_dir: Path | None) -> timedelta:
    from hazecast.grids.errors import InputError

    longest = settings_of(data_dir).limits.key_days
    if days is not None and days > longest:
        raise InputError("--days", days, f"at most {longest} (HAZECAST_KEY_DAYS)")
    return timedelta(days=days or longest)


def _show_once(key: ApiKey, token: str) -> None:
    # Standard output has the key alone, so that it can be piped into a store of secrets.
    typer.echo(
        f"key {key.id} of {key.account_id} until {key.expires_at:%Y-%m-%d}: {' '.join(key.scopes)}; shown this once:",
        err=True,
    )
    print(token)
