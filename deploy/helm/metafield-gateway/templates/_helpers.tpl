{{- define "metafield-gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* By what a Service and others find the pods. */}}
{{- define "metafield-gateway.selector" -}}
metafield-gateway: {{ .Values.mode }}
metafield-gateway-release: {{ .Release.Name }}
{{- end -}}

{{- define "metafield-gateway.labels" -}}
{{ include "metafield-gateway.selector" . }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "metafield-gateway.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "metafield-gateway.drainDelay" -}}
{{- if eq .Values.mode "deployment" }}{{ int .Values.drain.delaySeconds }}{{ else }}0{{ end -}}
{{- end -}}

{{/* In the mode `sidecar` first the application's time; then the five seconds that the last audit lines may take, and as
many to spare. */}}
{{- define "metafield-gateway.terminationGracePeriodSeconds" -}}
{{- $application := eq .Values.mode "sidecar" | ternary (int .Values.drain.applicationSeconds) 0 -}}
{{- add (include "metafield-gateway.drainDelay" . | int) (int .Values.drain.timeoutSeconds) $application 10 -}}
{{- end -}}

{{/* The head of the configuration, in dotted keys, so that `config` can go on with keys of the top level. */}}
{{- define "metafield-gateway.config" -}}
{{- if regexMatch "(?m)^\\s*\\[\\s*(listen|admin)\\b" .Values.config -}}
{{- fail "config: write keys of [listen] and [admin] at the beginning and with their whole names, such as admin.hosts = [\"...\"]; the chart has begun these tables" -}}
{{- end -}}
drain_delay = "{{ include "metafield-gateway.drainDelay" . }}s"
drain_timeout = "{{ int .Values.drain.timeoutSeconds }}s"
listen.address = "{{ eq .Values.mode "deployment" | ternary "0.0.0.0" "127.0.0.1" }}:{{ int .Values.ports.gateway }}"
{{- if .Values.tls.enabled }}
listen.tls.certificate = "/run/secrets/tls/tls.crt"
listen.tls.private_key = "/run/secrets/tls/tls.key"
{{- end }}
admin.address = "0.0.0.0:{{ int .Values.ports.admin }}"
admin.page = "{{ if .Values.statusPage.enabled }}127.0.0.1:{{ int .Values.ports.page }}{{ else }}off{{ end }}"

{{ .Values.config }}
{{- end -}}

{{/* The container, without what says that it is a sidecar. */}}
{{- define "metafield-gateway.container" -}}
name: metafield-gateway
image: {{ include "metafield-gateway.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: ["serve", "--config", "/etc/metafield-gateway/gateway.toml"]
env:
  - name: METAFIELD_GATEWAY_LOG
    value: {{ .Values.logLevel }}
ports:
  {{- if eq .Values.mode "deployment" }}
  - name: gateway
    containerPort: {{ .Values.ports.gateway }}
  {{- end }}
  - name: gateway-admin
    containerPort: {{ .Values.ports.admin }}
startupProbe:
  httpGet:
    path: /readyz
    port: gateway-admin
  periodSeconds: 1
  failureThreshold: 30
livenessProbe:
  httpGet:
    path: /livez
    port: gateway-admin
  periodSeconds: 10
  timeoutSeconds: 3
readinessProbe:
  httpGet:
    path: /readyz
    port: gateway-admin
  periodSeconds: 5
  timeoutSeconds: 3
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  # Beside an application it reads its Secrets by this group, without an fsGroup that would be the whole pod's.
  runAsGroup: {{ eq .Values.mode "sidecar" | ternary 0 65532 }}
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: ["ALL"]
  seccompProfile:
    type: RuntimeDefault
volumeMounts:
  - name: gateway-config
    mountPath: /etc/metafield-gateway
    readOnly: true
  - name: bigcommerce
    mountPath: /run/secrets/bigcommerce
    readOnly: true
  {{- if .Values.tls.enabled }}
  - name: tls
    mountPath: /run/secrets/tls
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "metafield-gateway.sidecar" -}}
- restartPolicy: Always
  {{- include "metafield-gateway.container" . | nindent 2 }}
{{- end -}}

{{- define "metafield-gateway.volumes" -}}
- name: gateway-config
  configMap:
    name: {{ include "metafield-gateway.fullname" . }}
- name: bigcommerce
  secret:
    secretName: {{ .Values.credentials.secretName }}
    defaultMode: 0440
{{- if .Values.tls.enabled }}
- name: tls
  secret:
    secretName: {{ .Values.tls.secretName }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
