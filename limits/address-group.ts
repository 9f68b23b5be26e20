/**
 * Which clients count as one address: an IPv4 address, or an IPv6 /64, which is what one customer of a network gets and may change its
 * address within at will. IPv4 in the form of IPv6 (`::ffff:192.0.2.1`, what a dual-stack listener sees) is IPv4.
 */
import ipaddr from "ipaddr.js";

/** Some proxies (Azure) state the port as well. With it each connection would be an address of its own. */
const WITH_PORT = /^(?:\[(?<v6>[^\]]+)\](?::\d+)?|(?<v4>[\d.]+):\d+)$/;

/** Whatever cannot be read (`unknown`, a made-up name, a Unix socket) is one address together. */
const UNREADABLE = "unknown";

export function addressGroup(address: string): string {
  const { v4, v6 } = WITH_PORT.exec(address)?.groups ?? {};
  const host = v4 ?? v6 ?? address;
  if (!ipaddr.isValid(host)) return UNREADABLE;
  const parsed = ipaddr.process(host);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const network = parsed.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(":")}::/64`;
}
