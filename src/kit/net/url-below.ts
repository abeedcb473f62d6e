/**
 * The URL of `path` below `base`, which may have a path of its own; without the user information, query and fragment of
 * `base`.
 *
 * Not by resolving it: a path that begins with "//" would name another host, whatever was checked of `base` before.
 */
export function urlBelow(base: URL, path: `/${string}`): URL {
  const url = new URL(base.origin);
  url.pathname = base.pathname.replace(/\/+$/, '') + path;
  return url;
}
