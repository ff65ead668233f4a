package specs

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/operator"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

const (
	tlsVolume = "dragonfly-tls" // the operator uses the same name
	tlsPath   = "/etc/dragonfly/tls"
)

// addTLS turns on TLS for the server's port and its readiness probe. There is no tls_ca_cert_file: with it
// Dragonfly asks clients for certificates, and the kubelet has none. Liveness stays a TCP connect.
func addTLS(pod *corev1.PodSpec, inst instance.Instance) {
	if inst.Config.TLS == nil || inst.IsByOperator() { // which does it itself
		return
	}
	server := &pod.Containers[0]
	server.Args = append(server.Args,
		"--tls=true", "--tls_cert_file="+tlsPath+"/"+corev1.TLSCertKey, "--tls_key_file="+tlsPath+"/"+corev1.TLSPrivateKeyKey)
	server.ReadinessProbe.HTTPGet.Scheme = corev1.URISchemeHTTPS
	server.VolumeMounts = append(server.VolumeMounts, corev1.VolumeMount{Name: tlsVolume, MountPath: tlsPath, ReadOnly: true})
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: tlsVolume, VolumeSource: corev1.VolumeSource{
		// Readable for the group that the pod runs with.
		Secret: &corev1.SecretVolumeSource{SecretName: *inst.Config.TLS.SecretName, DefaultMode: new(int32(0o440))},
	}})
}

// hasCertificateKeeper reports whether the pod has the sidecar that makes the server reload a renewed certificate. With
// flags for client certificates, it does not, because the sidecar has no such certificate.
func hasCertificateKeeper(inst instance.Instance) bool {
	return inst.Config.TLS != nil && *inst.Config.TLS.Reload && !slices.ContainsFunc(inst.Config.Args, func(arg string) bool {
		name, _ := v1alpha1.FlagName(arg)
		return v1alpha1.AsksForClientCertificates(name)
	})
}

// addCertificateKeeper adds the sidecar that makes the server reload a renewed certificate: an init container that keeps
// running (Kubernetes 1.29), after the one that provides the password.
func addCertificateKeeper(pod *corev1.PodSpec, inst instance.Instance) {
	if !hasCertificateKeeper(inst) {
		return
	}
	request := handover.CertificateRequest{TLS: tlsPath, Address: "localhost:" + strconv.Itoa(instance.Port)}
	keeper := corev1.Container{
		Name:            CertificateContainer,
		Image:           *inst.Config.Password.Image,
		ImagePullPolicy: *inst.Config.ImagePullPolicy,
		RestartPolicy:   new(corev1.ContainerRestartPolicyAlways),
		Resources:       ownResources(inst),
		SecurityContext: restricted(),
		VolumeMounts:    []corev1.VolumeMount{{Name: tlsVolume, MountPath: tlsPath, ReadOnly: true}},
	}
	switch {
	case inst.IsByOperator():
		request.Admin = "localhost:" + strconv.Itoa(operator.AdminPort)
	case hasFlagFile(inst):
		request.FlagFile = true
		keeper.VolumeMounts = append(keeper.VolumeMounts, corev1.VolumeMount{Name: flagVolume, MountPath: handover.FlagFolder, ReadOnly: true})
	default:
		keeper.Env = []corev1.EnvVar{passwordVariable(inst)}
	}
	keeper.Args = request.Args()
	pod.InitContainers = append(pod.InitContainers, keeper)
}

// The Certificate of cert-manager, as far as we fill it in. Its module would link the Gateway API into the
// program.
type (
	certificate struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`
		Spec              certificateSpec `json:"spec"`
	}

	certificateSpec struct {
		SecretName string            `json:"secretName"`
		DNSNames   []string          `json:"dnsNames,omitempty"`
		Usages     []string          `json:"usages,omitempty"`
		IssuerRef  certificateIssuer `json:"issuerRef"`
	}

	certificateIssuer struct {
		Group string `json:"group,omitempty"`
		Kind  string `json:"kind,omitempty"`
		Name  string `json:"name"`
	}
)

// hasCertificate reports whether cert-manager issues the instance's certificate.
func hasCertificate(inst instance.Instance) bool {
	return inst.Config.TLS != nil && inst.Config.TLS.IssuerRef != nil
}

// certificateOf returns the Certificate for all names of the Service.
func certificateOf(inst instance.Instance) *certificate {
	service, issuer := inst.Service(), inst.Config.TLS.IssuerRef
	return &certificate{
		TypeMeta:   metav1.TypeMeta{APIVersion: "cert-manager.io/v1", Kind: "Certificate"},
		ObjectMeta: Metadata(inst, inst.Name.Name),
		Spec: certificateSpec{
			SecretName: *inst.Config.TLS.SecretName,
			DNSNames: []string{
				inst.Endpoint(*inst.Config.ClusterDomain),
				service + "." + inst.Namespace + ".svc",
				service + "." + inst.Namespace,
				service,
			},
			Usages:    []string{"digital signature", "key encipherment", "server auth"},
			IssuerRef: certificateIssuer{Group: *issuer.Group, Kind: *issuer.Kind, Name: issuer.Name},
		},
	}
}
