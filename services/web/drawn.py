"""Answers that are made in a subprocess: drawn, typeset or written as NetCDF, or read from the products of a cycle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from pathlib import Path

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool

from hazecast.services.core.subprocesses import CrashError, HungError
from hazecast.services.core.work_pool import PoolFullError, WorkPool
from hazecast.services.store.run_files import read_product
from hazecast.services.work.native_work import make_product

log = logging.getLogger(__name__)

_LATER = {"Retry-After": "10"}


async def draw(
    request: Request, pool: WorkPool, key: Hashable, function: Callable[..., bytes], *arguments: object
) -> bytes:
    """Return what a function makes in a subprocess; its processor time counts for whoever asked first.

    Parameters
    ----------
    request : Request
    pool : WorkPool
    key : hashable
        All that the result depends on.
    function : callable
        Of a module's top level.
    *arguments : object

    Returns
    -------
    bytes

    Raises
    ------
    HTTPException
        503, with Retry-After, if too much work waits, or this took too long or crashed.
    """
    caller = getattr(request.state, "caller", "")
    try:
        submitted = pool.submit(key, function, *arguments, caller=caller)
    except PoolFullError as full:
        raise HTTPException(503, str(full), {"Retry-After": str(full.seconds)}) from full
    try:
        made = await asyncio.shield(asyncio.wrap_future(submitted.future))
    except (CrashError, HungError) as error:
        log.error("%s failed: %s", function.__name__, error)
        raise HTTPException(503, "this could not be made; the log says why", _LATER) from error
    if submitted.begun:
        request.state.processor_seconds = made.seconds
    return made.value


async def product(
    request: Request,
    pool: WorkPool,
    path: str,
    name: str,
    function: Callable[..., bytes],
    *arguments: object,
    kept: bool = True,
) -> bytes:
    """Return a product of a run as its cycle stored it; where it is missing or damaged, it is made again.

    Parameters
    ----------
    request : Request
    pool : WorkPool
    path : str
        NetCDF file of the run.
    name : str
        Of the product.
    function : callable
        Makes it.
    *arguments : object
    kept : bool
        Whether it is stored when it is made: not of an earlier run, as anyone may ask for all of them.

    Returns
    -------
    bytes

    Raises
    ------
    HTTPException
        As `draw`.
    """
    stored = await run_in_threadpool(read_product, Path(path), name)
    if stored is not None:
        return stored
    log.info("%s of %s is made on demand", name, path)
    if not kept:
        return await draw(request, pool, (path, name), function, *arguments)
    return await draw(request, pool, (path, name), make_product, path, name, function, *arguments)
