/**
 * Plain http is for what stays on this machine (`isSecureUrl`). Where Node heeds the proxies of the environment, it would take
 * that to a proxy all the same, unless NO_PROXY names the host: tokens in the clear over the network (T355).
 */

type Dispatcher = NonNullable<RequestInit['dispatcher']>;
type ProxyingDispatcher = new (options: { readonly noProxy: string }) => Dispatcher;

let direct: Dispatcher | undefined;

/** What `fetch` is to go by to that address, where it is not what it goes by otherwise. */
export function directRoute(url: string | URL): { readonly dispatcher?: Dispatcher } {
  const address = String(url);
  if (!URL.canParse(address) || new URL(address).protocol !== 'http:') return {};
  const { [globalDispatcher]: usual } = globalThis as { [globalDispatcher]?: object };
  if (usual?.constructor.name !== 'EnvHttpProxyAgent') return {};
  direct ??= new (usual.constructor as ProxyingDispatcher)({ noProxy: '*' });
  return { dispatcher: direct };
}

/** Under which undici keeps what `fetch` goes by; Node puts its agent for proxies there before anything else runs. */
const globalDispatcher: unique symbol = Symbol.for('undici.globalDispatcher.1');
