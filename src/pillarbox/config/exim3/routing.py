"""Exim 3's routers and directors as Exim 4's routers: the old routers first, for what is not local, then the old directors."""

from __future__ import annotations

from collections.abc import Callable

from pillarbox.config.exim3.sections import Exim3, Setting, Settings
from pillarbox.config.exim3.texts import address_list, items_of, plain_list, renewed

CONDITIONS = ("domains", "local_parts", "senders", "condition", "require_files")
NOT_LOCAL = "! +local_domains"


def lower_routers(exim3: Exim3) -> list[Settings]:
    found: list[Settings] = []
    ends = False
    for router in exim3.routers:
        ends = not any(name in router for name in CONDITIONS) and not router.is_true("verify_only")
        ends = ends and router.is_true("verify", default=True)
        _generic_router(router, exim3)
        driver = router.text("driver").strip()
        if lower := ROUTERS.get(driver):
            lower(router, exim3)
        found.append(router)
    if ends:
        found[-1].put("more", "false")
    else:
        found.append(_fail_remote(exim3))
    return found


def _fail_remote(exim3: Exim3) -> Settings:
    """What is not local, and no router took."""
    added = Settings("fail_remote_domains", exim3.main.position)
    for name, value in (
        ("driver", "redirect"),
        ("domains", NOT_LOCAL),
        ("allow_fail", "true"),
        ("data", ':fail: unrouteable mail domain "$domain"'),
    ):
        added.put(name, value)
    return added


def _generic_router(router: Settings, exim3: Exim3) -> None:
    if "domains" in router:
        _list(router, "domains")
    else:
        router.put("domains", NOT_LOCAL)
    if "local_parts" in router:
        _list(router, "local_parts")
        router.put("caseful_local_part", "true", router.get("local_parts"))
    _generic(router, exim3)
    setting = router.get("self")
    match setting.value.strip() if setting else "":
        case "local":
            router.put("self", "pass", setting)
            if exim3.directors:
                router.put("pass_router", exim3.directors[0].name, setting)
        case "fail_hard":
            router.put("self", "fail", setting)
        case "fail_soft":
            router.put("self", "pass", setting)


def _generic(driver: Settings, exim3: Exim3) -> None:
    if setting := driver.get("senders"):
        driver.put("senders", address_list(setting.value), setting)
    if setting := driver.get("require_files"):
        exim3.note(setting, "require_files: each item is expanded on its own now; colons inside expansions must be doubled")  # fmt: skip
        if "$" not in setting.value:
            exim3.notes.pop()


def _list(driver: Settings, name: str) -> None:
    if setting := driver.get(name):
        driver.put(name, plain_list(setting.value), setting)


def _abolish(driver: Settings, exim3: Exim3, *names: str) -> None:
    for name in names:
        if setting := driver.take(name):
            exim3.note(setting, f"{name} is gone from the {driver.text('driver')} driver")


def _lookuphost(router: Settings, exim3: Exim3) -> None:
    router.put("driver", "dnslookup", router.get("driver"))
    _abolish(router, exim3, "gethostbyname")
    _list(router, "mx_domains")


def _domainlist(router: Settings, exim3: Exim3) -> None:
    _abolish(router, exim3, "modemask", "owners", "owngroups", "qualify_single", "search_parents")
    router.put("driver", "manualroute", router.get("driver"))
    data = _looked_up(router, "$domain", "route_file", "route_query", "route_queries")
    if data is not None:
        router.put("route_data", data.value, data)
        if setting := router.take("route_list"):
            exim3.note(setting, "route_list and a lookup cannot stand together now: route_list is left out")
    if setting := router.get("route_list"):
        if "bydns_mx" in setting.value:
            exim3.note(setting, "bydns_mx is gone: the hosts' own addresses are looked up")
        value = setting.value.replace("bydns_mx", "bydns").replace("bydns_a", "bydns")
        router.put("route_list", _protected_routes(value), setting)


def _protected_routes(value: str) -> str:
    rules = [rule.strip() for rule in value.split(";")]
    return "; ".join(f"\\N{rule}" if rule.startswith("^") else rule for rule in rules)


def _iplookup(router: Settings, exim3: Exim3) -> None:
    router.rename("service", "port")


def _queryprogram(router: Settings, exim3: Exim3) -> None:
    exim3.note(router, "queryprogram: what the program prints has another form now (Exim 4, chapter 21)")
    if "command_user" not in router:
        router.put("command_user", "nobody")


def _looked_up(driver: Settings, key: str, file: str, query: str, queries: str) -> Setting | None:
    """The lookup that a file, a query or alternative queries stand for."""
    kind = driver.text("search_type").strip()
    driver.take("search_type")
    if setting := driver.take(file):
        return Setting("", f"${{lookup{{{key}}}{kind}{{{setting.value}}}}}", setting.position)
    if setting := driver.take(query):
        return Setting("", f"${{lookup {kind} {{{setting.value}}}}}", setting.position)
    if setting := driver.take(queries):
        text = ""
        for item in reversed(items_of(setting.value)[0]):
            otherwise = f"{{{text}}}" if text else ""
            text = f"${{lookup {kind} {{{item.replace('::', ':')}}}{{$value}}{otherwise}}}"
        return Setting("", text, setting.position)
    return None


# Directors

RENAMED = {
    "prefix": "local_part_prefix",
    "prefix_optional": "local_part_prefix_optional",
    "suffix": "local_part_suffix",
    "suffix_optional": "local_part_suffix_optional",
    "new_director": "redirect_router",
}


def lower_directors(exim3: Exim3) -> list[Settings]:
    found: list[Settings] = []
    is_caseful = not exim3.main.is_true("locally_caseless", default=True)
    for director in exim3.directors:
        if is_caseful:
            director.put("caseful_local_part", "true")
        if "local_parts" in director:
            _list(director, "local_parts")
            if "prefix" in director or "suffix" in director:
                exim3.note(director, "local_parts is now tested after prefix and suffix are taken off")
        for old, new in RENAMED.items():
            director.rename(old, new)
        _list(director, "domains")
        _generic(director, exim3)
        added: list[Settings] = []
        if lower := DIRECTORS.get(director.text("driver").strip()):
            added = lower(director, exim3) or []
        if not director.is_true("check_local_user"):
            director.put("retry_use_local_part", "true")
        found += [director, *added]
    return found


def _aliasfile(director: Settings, exim3: Exim3) -> None:
    _abolish(director, exim3, "directory2_transport", "freeze_missing_include", "modemask", "owners", "owngroups")  # fmt: skip
    key = "$local_part@$domain" if director.is_true("include_domain") else "$local_part"
    director.take("include_domain")
    is_special = not director.is_true("forbid_special")
    director.take("forbid_special")
    file = director.get("file")
    data = _looked_up(director, key, "file", "query", "queries")
    text = data.value if data else ""
    if director.is_true("optional") and file:
        text = f"${{if exists{{{file.value}}}{{{text}}}}}"
    director.take("optional")
    if director.is_true("expand"):
        exim3.note(director, "expand: what a lookup returns is never expanded here; write the aliases out")
    director.take("expand")
    if "transport" in director and "condition" not in director:
        director.put("driver", "accept", director.get("driver"))
        director.put("condition", f"${{if eq{{}}{{{text}}}{{no}}{{yes}}}}", data)
        return
    director.put("driver", "redirect", director.get("driver"))
    director.put("data", text, data)
    for name in ("allow_defer", "allow_fail") if is_special else ("forbid_blackhole",):
        director.put(name, "true")


def _forwardfile(director: Settings, exim3: Exim3) -> None:
    _abolish(director, exim3, "check_group", "directory2_transport", "freeze_missing_include", "match_directory", "seteuid")  # fmt: skip
    director.rename("filter", "allow_filter")
    director.rename("allow_system_actions", "allow_freeze")
    director.put("driver", "redirect", director.get("driver"))
    if "check_local_user" not in director:
        director.put("check_local_user", "true")
    if director.is_true("forbid_pipe"):
        director.put("forbid_filter_run", "true", director.get("forbid_pipe"))
    folder = director.take("file_directory")
    base = folder.value if folder else "$home" if director.is_true("check_local_user") else ""
    setting = director.get("file")
    if setting and base and not setting.value.startswith("/"):
        director.put("file", f"{base}/{setting.value}", setting)


def _localuser(director: Settings, exim3: Exim3) -> None:
    _abolish(director, exim3, "match_directory")
    director.put("driver", "accept", director.get("driver"))
    director.put("check_local_user", "true")


def _smartuser(director: Settings, exim3: Exim3) -> list[Settings] | None:
    _abolish(director, exim3, "panic_expansion_fail")
    transport, address = director.get("transport"), director.take("new_address")
    if address is None:
        director.put("driver", "accept", director.get("driver"))
        _abolish(director, exim3, "rewrite")
        return None
    director.put("driver", "redirect", director.get("driver"))
    director.put("data", renewed(address.value), address)
    if transport is None:
        director.put("allow_defer", "true")
        director.put("allow_fail", "true")
        return None
    director.take("transport")
    second = Settings(f"{director.name}_part2", director.position)
    second.put("driver", "accept")
    second.put("condition", f"${{if eq{{$local_part@$domain}}{{{address.value}}}{{yes}}{{no}}}}", address)
    second.put("transport", transport.value, transport)
    director.put("redirect_router", second.name)
    return [second]


ROUTERS: dict[str, Callable[[Settings, Exim3], None]] = {
    "domainlist": _domainlist,
    "iplookup": _iplookup,
    "lookuphost": _lookuphost,
    "queryprogram": _queryprogram,
}
DIRECTORS: dict[str, Callable[[Settings, Exim3], list[Settings] | None]] = {
    "aliasfile": _aliasfile,
    "forwardfile": _forwardfile,
    "localuser": _localuser,
    "smartuser": _smartuser,
}
