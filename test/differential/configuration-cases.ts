/** Configurations that are generated: pairs of pieces in different places, and damaged ones. */

import type { Random } from "../fuzz/random.ts";

/** Files by name in a folder that is written as `@D@` in them; `bus.conf` is the one that is loaded. */
export interface ConfigurationCase {
  readonly description: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
}

const open = '<policy context="default"><allow send_destination="*" eavesdrop="true"/>';
const allow = `${open}<allow eavesdrop="true"/><allow own="*"/></policy>`;
/** What makes every bus here one that can be asked something. */
const BASE = `<listen>unix:tmpdir=@D@</listen>${allow}`;

const flags = [
  ...["fork", "keep_umask", "syslog", "allow_anonymous", "standard_session_servicedirs"],
  ...["standard_system_servicedirs", "selinux", "apparmor"],
];
const texts = [
  ...["type", "user", "pidfile", "listen", "auth", "servicedir", "servicehelper"],
  ...["include", "includedir", "limit"],
];

const limits = [
  ...["max_incoming_bytes", "max_incoming_unix_fds", "max_outgoing_bytes", "max_outgoing_unix_fds"],
  ...["max_message_size", "max_message_unix_fds", "service_start_timeout", "auth_timeout"],
  ...["pending_fd_timeout", "max_completed_connections", "max_incomplete_connections"],
  ...["max_connections_per_user", "max_pending_service_starts", "max_names_per_connection"],
  ...["max_match_rules_per_connection", "max_replies_per_connection", "reply_timeout"],
  ...["max_containers", "max_containers_per_user", "max_container_metadata_bytes"],
  ...["max_connections_per_container", "max_bees", "", " auth_timeout"],
];
const numbers = [
  ...[
    "100000",
    "0x7000",
    "0777777",
    "+9999",
    " 99999",
    "99999 ",
    "99999x",
    "9999e9",
    "-1",
    "-0",
    "x",
  ],
  ...[
    "",
    " ",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "- 5",
    "08888",
  ],
  ...["&#160;5", "1<!-- -->00000", "<![CDATA[99999]]>", "100000<fork/>", "0x"],
];

/** Pieces of a configuration, right and wrong. */
export const pieces: readonly string[] = [
  ...flags.flatMap((name) => [
    `<${name}/>`,
    `<${name}> \n</${name}>`,
    `<${name}>x</${name}>`,
    `<${name} a="b"/>`,
    `<${name}><fork/></${name}>`,
  ]),
  ...texts.flatMap((name) => [
    `<${name}/>`,
    `<${name}></${name}>`,
    `<${name} a="b">x</${name}>`,
    `<${name}>x<fork/></${name}>`,
  ]),
  ...limits.map((name) => `<limit name="${name}">90000</limit>`),
  // Of those that are longs and ints, two that nobody needs here.
  ...numbers.map((number) => `<limit name="max_message_unix_fds">${number}</limit>`),
  ...numbers.map((number) => `<limit name="service_start_timeout">${number}</limit>`),
  "<limit>1</limit>",
  '<limit name="auth_timeout" unit="s">1</limit>',
  ...["session", "system", " session ", "other", "a&lt;b", "a<!-- x -->b", " "].map(
    (type) => `<type>${type}</type>`,
  ),
  ...["0", "root", "nobodyatall", " root", "&#114;oot"].map((user) => `<user>${user}</user>`),
  ...["EXTERNAL", "external", "EXTERNAL ", "ANONYMOUS", "KERBEROS_V4"].map(
    (mechanism) => `<auth>EXTERNAL</auth><auth>${mechanism}</auth>`,
  ),
  ...["unix:path=@D@/a", "unix:dir=@D@", "unix:path=@D@/none/a", "unix:"].map(
    (address) => `<listen>${address}</listen>`,
  ),
  ...[" unix:path=@D@/b", "unix:path=@D@/b ", "unix:path=@D@/%62", "unix:path=@D@/%6", "x:"].map(
    (address) => `<listen>${address}</listen>`,
  ),
  ...[
    "x:;unix:path=@D@/c",
    "unix:path=@D@/c;x:",
    "unix:path=@D@/e,dir=@D@",
    "unix:bees=1",
    ":",
  ].map((address) => `<listen>${address}</listen>`),
  ...["s1", "@D@/s2", "./s1", "s1/../s2", "none", " s1", "&#115;1"].map(
    (directory) => `<servicedir>${directory}</servicedir>`,
  ),
  "<listen>unix:path=@D@/f</listen><listen>unix:abstract=@D@</listen>",
  "<servicehelper>/bin/false</servicehelper>",
  ...["", ' ignore_missing="yes"', ' ignore_missing="no"', ' ignore_missing="Yes"'].flatMap(
    (attribute) =>
      ["good.conf", "none.conf", "bad.conf", "needy.conf", "self.conf", "s1", " good.conf"].map(
        (file) => `<include${attribute}>${file}</include>`,
      ),
  ),
  ...['if_selinux_enabled="yes"', 'if_selinux_enabled="no"', 'if_selinux_enabled=""'].map(
    (attribute) => `<include ${attribute}>none.conf</include>`,
  ),
  ...["none.conf", "@D@/good.conf"].map(
    (file) => `<include selinux_root_relative="yes">${file}</include>`,
  ),
  '<include selinux_root_relative="yes" ignore_missing="yes">good.conf</include>',
  '<include selinux_root_relative="x">good.conf</include>',
  ...["d", "@D@/d", "none", "good.conf", " d", "e"].map(
    (directory) => `<includedir>${directory}</includedir>`,
  ),
  ...["required", "enabled", "disabled", "Required", ""].map(
    (mode) => `<apparmor mode="${mode}"/>`,
  ),
  '<selinux><associate own="a.b" context="c"/></selinux>',
  '<selinux> <associate own="" context=""> </associate> <associate own="" context="x"/></selinux>',
  '<selinux><associate own="a.b"/></selinux>',
  '<selinux><associate context="a.b"/></selinux>',
  '<selinux><associate own="a.b" context="c" x="y"/></selinux>',
  '<selinux><associate own="a.b" context="c">x</associate></selinux>',
  "<selinux><bees/></selinux>",
  ...["deny", "allow"].flatMap((verb) =>
    ["default", "mandatory"].map(
      (context) => `<policy context="${context}"><${verb} user="*"/></policy>`,
    ),
  ),
  '<policy context="default"> <allow own="a.b"/> x</policy>',
  '<policy context="default"> <allow own="a.b"> \n</allow></policy>',
  '<policy context="default"><allow own="a.b">&#160;</allow></policy>',
  '<policy context="default">&#160;</policy>',
  '<policy context="default"><bees/></policy>',
  '<policy context="default"><allow/></policy>',
  '<policy context="other"/>',
  "<policy/>",
  ...["<busconfig/>", "<bees/>", "<Fork/>", "<a:fork/>", "<allow own='*'/>", "x", "&#160;"],
  ...["<!-- <fork> -->", "<?fork?>", "<![CDATA[ ]]>", "<![CDATA[x]]>", "&#32;", "]]>", "&lt;"],
  ...[
    "<fork",
    "</fork>",
    "<fork></type>",
    "<fork a='b' a='b'/>",
    "<fork a=b/>",
    "&none;",
    "&",
    "<",
  ],
  ...["<!-- -- -->", "<!-- --->", "<?xml version='1.0'?>", "&#0;", "&#xD800;", "&#1;", "\u0001"],
  ...["&space;", "&more;", "<type>&word;</type>", "<include ignore_missing='&yes;'>none</include>"],
  ...["<include ignore_missing='&more;'>none</include>", "&half;</fork>", "&loop;", "&file;"],
];

const entities = `<!ENTITY space " "> <!ENTITY more "<fork/>"> <!ENTITY word "session">
  <!ENTITY yes "yes"> <!ENTITY half "<fork>"> <!ENTITY loop "&loop;"> <!ENTITY file SYSTEM "s1">`;
const PUBLIC = 'PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://example.org/"';

/** What may stand before <busconfig>. */
const prologs: readonly string[] = [
  ...["", "", "", "\n", "<!-- x -->", "<?x?>", "\ufeff", " <?xml version='1.0'?>"],
  ...["1.0", "1.1", "2.0", "", "a b"].map((version) => `<?xml version="${version}"?>`),
  ...["UTF-8", "utf-16", "ISO-8859-1", "x", "8", ""].map(
    (encoding) => `<?xml version="1.0" encoding="${encoding}"?>`,
  ),
  ...["yes", "no", "maybe"].map(
    (standalone) =>
      `<?xml version="1.0" standalone="${standalone}"?><!DOCTYPE busconfig ${PUBLIC}>`,
  ),
  `<!DOCTYPE busconfig ${PUBLIC}>`,
  `<!DOCTYPE busconfig [${entities}]>`,
  `<!DOCTYPE busconfig [${entities}]>`,
  `<!DOCTYPE busconfig ${PUBLIC} [${entities}]>`,
  `<!DOCTYPE busconfig [%none; ${entities}]>`,
  `<!DOCTYPE busconfig [${entities} %none;]>`,
  '<!DOCTYPE busconfig [<!ATTLIST include ignore_missing CDATA "yes">]>',
  '<!DOCTYPE busconfig [<!ATTLIST fork a CDATA "yes">]>',
  "<!DOCTYPE busconfig [<!ELEMENT busconfig (fork|type)*> <!-- ]> --> <?x ]> ?>]>",
  "<!DOCTYPE bees []>",
  "<!DOCTYPE>",
  "<!doctype busconfig>",
  "<!DOCTYPE busconfig [bees]>",
];

/** Files that are there in every case. */
const surroundings: Readonly<Record<string, string>> = {
  "good.conf": "<busconfig><servicedir>s1</servicedir><listen>unix:tmpdir=@D@</listen></busconfig>",
  "bad.conf": "<busconfig><servicedir>s1</servicedir><bees/></busconfig>",
  "needy.conf": "<busconfig><servicedir>s2</servicedir><include>gone</include></busconfig>",
  "self.conf": '<busconfig><include ignore_missing="yes">self.conf</include></busconfig>',
  "d/1.conf": "<busconfig><servicedir>../s1</servicedir></busconfig>",
  "d/2.conf": "<busconfig><servicedir>../s2</servicedir><bees/></busconfig>",
  "d/3.conf.orig": "<busconfig><bees/></busconfig>",
  "e/4.conf": "<busconfig><servicedir>../s2</servicedir><include>gone</include></busconfig>",
  "e/5.conf/x": "",
  "s1/one.service": "[D-BUS Service]\nName=org.example.One\nExec=/bin/true\n",
  "s2/two.service": "[D-BUS Service]\nName=org.example.Two\nExec=/bin/true\n",
};

/**
 * As many cases as asked for. Every pair of pieces comes once before any comes again; of eight cases one is a
 * pair whose text has been damaged, and one is in another encoding.
 */
export function* configurationCases(random: Random, count: number): Generator<ConfigurationCase> {
  const pairs = shuffled(random, pieces.length * pieces.length);
  for (let n = 0; n < count; n++) {
    const pair = pairs[n % pairs.length] ?? 0;
    const [first, second] = [
      pieces[Math.floor(pair / pieces.length)],
      pieces[pair % pieces.length],
    ];
    const prolog = random.pick(prologs);
    yield makeCase(random, n, prolog, String(first), String(second));
  }
}

function makeCase(
  random: Random,
  n: number,
  prolog: string,
  first: string,
  second: string,
): ConfigurationCase {
  // Most pieces are wrong in themselves; where they stand is seen best when nothing else is.
  const other = random.below(2) === 0 ? "" : second;
  const place = random.pick(["here", "before", "included", "in a directory", "apart"]);
  const document = (contents: string): string => `<busconfig>${contents}</busconfig>\n`;
  const files: Record<string, string | Uint8Array> = { ...surroundings };
  let main = BASE + first + other;
  if (place === "before") main = first + other + BASE;
  if (place === "included") {
    files["x.conf"] = document(first);
    main = `${BASE}<include>x.conf</include>${other}`;
  } else if (place === "in a directory") {
    files["f/x.conf"] = document(first);
    files["f/y.conf"] = document(other);
    main = `${BASE}<includedir>f</includedir>`;
  } else if (place === "apart") {
    // Without an address of its own.
    main = `${allow}${first}${other}`;
  }
  let text = prolog + document(main);
  const kind = n % 8;
  if (kind === 5) text = damaged(random, text);
  const isOtherwise = kind === 6;
  const encoded = isOtherwise ? otherwiseEncoded(random, text) : text;
  const description = `${JSON.stringify(text)} ${place}${isOtherwise ? ", encoded otherwise" : ""}`;
  return { description, files: { ...files, "bus.conf": encoded } };
}

/** A few characters less, more, or elsewhere; not in the policy, which is no matter of reading. */
function damaged(random: Random, text: string): string {
  const damage = damagedAnywhere(random, text);
  return damage.includes(allow) ? damage : damaged(random, text);
}

function damagedAnywhere(random: Random, text: string): string {
  const at = random.below(text.length);
  const end = Math.min(text.length, at + 1 + random.below(8));
  const other = random.pick([
    "<",
    ">",
    "&",
    ";",
    '"',
    "/",
    "]",
    "!",
    "-",
    "%",
    "=",
    " ",
    "\t",
    "é",
    "x",
  ]);
  return random.pick([
    text.slice(0, at) + text.slice(end),
    text.slice(0, at) + other + text.slice(at),
    text.slice(0, at) + other + text.slice(at + 1),
    text.slice(0, at) + text.slice(at, end).repeat(2) + text.slice(end),
    text.slice(0, end),
  ]);
}

function otherwiseEncoded(random: Random, text: string): Uint8Array {
  const little = Buffer.from(text, "utf16le");
  const big = Buffer.from(little).swap16();
  return random.pick([
    little,
    big,
    Buffer.concat([Buffer.from([0xff, 0xfe]), little]),
    Buffer.concat([Buffer.from([0xfe, 0xff]), big]),
    Buffer.from(text.replace("<busconfig>", "<busconfig><!-- é -->"), "latin1"),
    Buffer.from(text.replace("<busconfig>", "<busconfig><!-- \u{1f600} -->")),
  ]);
}

/** The numbers below `length` in a random order. */
function shuffled(random: Random, length: number): number[] {
  const order = Array.from({ length }, (_, n) => n);
  for (let n = length - 1; n > 0; n--) {
    const other = random.below(n + 1);
    [order[n], order[other]] = [order[other] as number, order[n] as number]; // both are below length
  }
  return order;
}
