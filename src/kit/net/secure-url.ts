/**
 * Whether what is sent there cannot be read on the way: https, or plain http that does not leave this machine.
 * Host names are as the URL parser prints them (WHATWG URL Standard, "host serializing").
 */
export function isSecureUrl({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && loopbackHost.test(hostname));
}

const loopbackHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
