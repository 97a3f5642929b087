import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { sourceOf } from "../src/endpoint.ts";

const of = (host: string, bits = 64) =>
  sourceOf({ transport: "tcp", host, port: 5 }, bits);

test("a source is an IPv4 address, or all of a Unix socket", () => {
  assertEquals(of("192.0.2.1"), "192.0.2.1");
  assertEquals(sourceOf({ transport: "unix", path: "" }, 64), "unix");
});

test("a source is a network of IPv6, however its address is written", () => {
  const [first, ...others] = [
    "2001:db8:1:2::1",
    "2001:db8:1:2:ffff:ffff:ffff:ffff",
    "2001:0DB8:0001:0002:0:0:0:1",
    "2001:db8:1:2::192.0.2.1",
    "2001:db8:1:2::1%eth0",
  ].map((host) => of(host));
  assertEquals(first, "2001:db8:1:2:0:0:0:0/64");
  assertEquals(new Set(others), new Set([first]));
  assertEquals(of("2001:db8:1:3::1"), "2001:db8:1:3:0:0:0:0/64");
  assertEquals(of("::1", 128), "0:0:0:0:0:0:0:1/128");
  assertEquals(of("::", 1), "0:0:0:0:0:0:0:0/1");
  assertEquals(of("2001:db8:1:2ff::", 56), "2001:db8:1:200:0:0:0:0/56");
});

test("a source behind NAT64 is the IPv4 address that came through it", () => {
  assertEquals(of("64:ff9b::192.0.2.33"), "192.0.2.33");
  assertEquals(of("64:ff9b::c000:221"), "192.0.2.33");
  assertEquals(of("64:ff9b::cb00:7101"), "203.0.113.1");
  assertEquals(of("64:ff9b:1::c000:221"), "64:ff9b:1:0:0:0:0:0/64");
});
