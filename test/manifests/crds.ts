// Kinds of the Prometheus operator, as far as a test needs them: with anything within.

export const PROMETHEUS_KINDS = ['PodMonitor', 'PrometheusRule'] as const;

export const prometheusCrd = (kind: (typeof PROMETHEUS_KINDS)[number]): object => {
  const plural = `${kind.toLowerCase()}s`;
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
};
