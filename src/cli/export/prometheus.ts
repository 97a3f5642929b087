/** What Prometheus asks of a server's admin listener, and when it alarms. */
import type { Table } from "../../table/table.ts";

interface Alert {
  readonly name: string;
  readonly expression: string;
  readonly for: string;
  readonly severity: "critical" | "warning";
  readonly summary: string;
}

export function prometheusFiles(
  table: Table,
  { about, admin }: { readonly about: string; readonly admin: string },
): Readonly<Record<string, string>> {
  const scrape = `# ${about}
# A part of prometheus.yml; the server has an admin listener: admin = "${admin}"
rule_files:
  - tcpmux.rules.yml
scrape_configs:
  - job_name: tcpmux
    static_configs:
      - targets: [${JSON.stringify(admin)}]
`;
  const rules = `# ${about}
groups:
  - name: tcpmux
    rules:
${alertsOf(table).map(ruleText).join("")}`;
  return { "prometheus.yml": scrape, "tcpmux.rules.yml": rules };
}

/** Limits of the table are in them, so they are made anew with it. */
function alertsOf({ server }: Table): readonly Alert[] {
  const most = server.limits.maxConnections;
  const failures = "tcpmux_upstream_failures_total";
  const handshakes = "tcpmux_handshakes_total";
  const until = "tcpmux_tls_certificate_expiry_timestamp_seconds";
  const days = (count: number) => `${until} - time() < ${count} * 86400`;
  return [
    {
      name: "TcpmuxDown",
      expression: 'up{job="tcpmux"} == 0',
      for: "1m",
      severity: "critical",
      summary: "{{ $labels.instance }} does not answer",
    },
    {
      name: "TcpmuxReloadFailed",
      expression: "tcpmux_config_last_reload_successful == 0",
      for: "5m",
      severity: "warning",
      summary: "{{ $labels.instance }} goes on with its last table: " +
        "the new one is wrong",
    },
    {
      name: "TcpmuxCertificateEnds",
      expression: days(14),
      for: "1h",
      severity: "warning",
      summary: "{{ $labels.certificate }} of {{ $labels.instance }} ends in " +
        "{{ $value | humanizeDuration }}",
    },
    {
      name: "TcpmuxCertificateEndsNow",
      expression: days(3),
      for: "5m",
      severity: "critical",
      summary: "{{ $labels.certificate }} of {{ $labels.instance }} ends in " +
        "{{ $value | humanizeDuration }}: clients will refuse the server",
    },
    {
      name: "TcpmuxServiceFails",
      expression: `sum by (instance, service) (rate(${failures}[5m])) > 0`,
      for: "5m",
      severity: "critical",
      summary:
        "{{ $labels.service }} of {{ $labels.instance }} cannot be opened",
    },
    {
      name: "TcpmuxUpstreamDown",
      expression: "tcpmux_upstream_up == 0",
      for: "5m",
      severity: "warning",
      summary: "{{ $labels.upstream }}, where {{ $labels.service }} of " +
        "{{ $labels.instance }} is, does not answer",
    },
    {
      name: "TcpmuxBusy",
      expression: "sum by (instance, result) " +
        `(rate(${handshakes}{result=~"limit_.*|rate"}[5m])) > 0`,
      for: "10m",
      severity: "warning",
      summary: "{{ $labels.instance }} refuses clients: {{ $labels.result }}",
    },
    {
      name: "TcpmuxNearlyFull",
      expression: "sum by (instance) " +
        `(tcpmux_connections_active{state="session"}) > ${most} * 0.9`,
      for: "5m",
      severity: "warning",
      summary: `{{ $labels.instance }} has {{ $value }} sessions of ${most}`,
    },
    {
      name: "TcpmuxFewDescriptors",
      expression:
        'process_open_fds{job="tcpmux"} > process_max_fds{job="tcpmux"} * 0.9',
      for: "5m",
      severity: "warning",
      summary: "{{ $labels.instance }} has {{ $value }} descriptors open",
    },
    {
      name: "TcpmuxNamesGuessed",
      expression: "sum by (instance) " +
        `(rate(${handshakes}{result=~"unknown|denied"}[15m])) > 1`,
      for: "15m",
      severity: "warning",
      summary:
        "{{ $labels.instance }} is asked for names that clients have not",
    },
  ];
}

/** JSON's strings are YAML's too. */
function ruleText({ name, expression, severity, summary, ...alert }: Alert) {
  return `      - alert: ${name}
        expr: ${JSON.stringify(expression)}
        for: ${alert.for}
        labels:
          severity: ${severity}
        annotations:
          summary: ${JSON.stringify(summary)}
`;
}
