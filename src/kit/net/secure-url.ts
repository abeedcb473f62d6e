/**
 * Whether what is sent there cannot be read on the way: https, or plain http that does not leave this machine.
 * Host names are as the URL parser prints them (WHATWG URL Standard, "host serializing").
 */
export function isSecureUrl({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname));
}

/** Whether it has a name or a password in front of the host, which can look like a host itself: `https://:a.example@b.example/`. */
export function hasUserInformation({ username, password }: URL): boolean {
  return username !== '' || password !== '';
}

/** By its name, or an address, which a URL has in brackets. */
export function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/.test(host);
}
