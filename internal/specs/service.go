package specs

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/bizmatters/dragonfly-generator/internal/instance"
)

// Service returns the Service behind the endpoint. It has a cluster IP, as in live instances, where neither the IP nor the
// type may change.
func Service(inst instance.Instance) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: Metadata(inst, inst.Service()),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: serviceSelector(inst),
			Ports: []corev1.ServicePort{{
				Name:     PortName,
				Port:     instance.Port,
				Protocol: corev1.ProtocolTCP,
				// By number, because the pods of an instance from Crossplane do not name their port yet.
				TargetPort: intstr.FromInt32(instance.Port),
			}},
		},
	}
}
