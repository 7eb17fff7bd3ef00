{{/* What everything is called: `pgsteward` for a release of that name, which is also what the manifests for kustomize say. */}}
{{- define "pgsteward.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pgsteward.serviceAccount" -}}
{{- default (include "pgsteward.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* What a Deployment can never change. */}}
{{- define "pgsteward.selector" -}}
app.kubernetes.io/name: pgsteward
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pgsteward.labels" -}}
{{ include "pgsteward.selector" . }}
app.kubernetes.io/component: controller
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "pgsteward.metadata" -}}
name: {{ include "pgsteward.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "pgsteward.labels" . | nindent 2 }}
{{- end -}}

{{- define "pgsteward.image" -}}
{{- $tag := printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- empty .Values.image.digest | ternary $tag (printf "%s@%s" $tag .Values.image.digest) -}}
{{- end -}}

{{/* Name and text of each setting that is set, as JSON. Whole numbers stay whole (1000000 is no 1e+06), YAML's own words for «on» and «off» are ours again, and a list has commas. */}}
{{- define "pgsteward.settings" -}}
{{- $set := dict -}}
{{- range $name, $value := .Values.settings -}}
{{- $text := toString $value -}}
{{- if kindIs "invalid" $value -}}{{- $text = "" -}}
{{- else if kindIs "slice" $value -}}{{- $text = join "," $value -}}
{{- else if and (kindIs "bool" $value) (ne $name "DRY_RUN") -}}{{- $text = ternary "on" "off" $value -}}
{{- else if and (kindIs "float64" $value) (eq (float64 (int64 $value)) $value) -}}{{- $text = int64 $value | toString -}}
{{- end -}}
{{- if ne $text "" -}}{{- $_ := set $set $name $text -}}{{- end -}}
{{- end -}}
{{- with .Values.databaseCA -}}{{- if .enabled -}}
{{- $_ := set $set "DB_SSLMODE" (default "verify-full" (get $set "DB_SSLMODE")) -}}
{{- $_ := set $set "DB_SSL_ROOT_CERT" "/etc/pgsteward/ca/ca.crt" -}}
{{- end -}}{{- end -}}
{{- if .Values.adminRotation.enabled -}}
{{- $_ := set $set "ADMIN_ROTATION" "on" -}}
{{- $_ := set $set "ADMIN_SECRET" (printf "%s/%s" .Values.admin.secret .Values.admin.passwordKey) -}}
{{- end -}}
{{- if .Values.replicas.enabled -}}{{- $_ := set $set "REPLICAS" "on" -}}{{- end -}}
{{- if .Values.servers.enabled -}}{{- $_ := set $set "SERVERS_CONFIGMAP" .Values.servers.configMap -}}{{- end -}}
{{- if .Values.guardrails -}}{{- $_ := set $set "GUARDRAILS_FILE" "/etc/pgsteward/guardrails/guardrails.yaml" -}}{{- end -}}
{{- toJson $set -}}
{{- end -}}

{{- define "pgsteward.configMap" -}}
{{- default "postgres-users-config" .Values.settings.CONFIGMAP_NAME -}}
{{- end -}}

{{- define "pgsteward.httpPort" -}}
{{- default 8080 .Values.settings.HTTP_PORT | int -}}
{{- end -}}

{{/* Whether nothing is written: nobody is the writer then. */}}
{{- define "pgsteward.isDry" -}}
{{- has (get (include "pgsteward.settings" . | fromJson) "DRY_RUN" | lower) (list "true" "1" "yes" "on") | ternary "yes" "" -}}
{{- end -}}

{{/* A Role of ours in another namespace, and who has it. */}}
{{- define "pgsteward.elsewhere" }}
{{- $name := printf "%s-%s" (include "pgsteward.fullname" .root) .suffix }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ .namespace }}
  labels:
    {{- include "pgsteward.labels" .root | nindent 4 }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ .namespace }}
  labels:
    {{- include "pgsteward.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "pgsteward.serviceAccount" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}
