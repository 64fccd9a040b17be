//! What an Ingress tells of whether anybody serves it, for the person who reads the Challenge.

use serde_json::Value;

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// What to check about an Ingress that has no address: most controllers write one when they take it up.
pub(crate) fn complaint(ingress: &Value) -> Option<String> {
    let addresses = ingress["status"]["loadBalancer"]["ingress"].as_array();
    if addresses.is_some_and(|addresses| !addresses.is_empty()) {
        return None;
    }
    let text = |pointer: &str| ingress.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let annotated = ingress["metadata"]["annotations"][CLASS_ANNOTATION].as_str();
    let class = match ingress["spec"]["ingressClassName"].as_str().or(annotated) {
        Some(class) => format!("class {class}"),
        None => "the default class".to_owned(),
    };
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    Some(format!(
        "Ingress {namespace}/{name} has no address in its status: check that an ingress controller serves {class}"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_ingress_without_an_address_names_its_class() {
        let metadata = |annotations: Value| json!({ "namespace": "shop", "name": "web", "annotations": annotations });
        let by_annotation = json!({ "metadata": metadata(json!({ CLASS_ANNOTATION: "nginx" })), "spec": {} });
        let by_field = json!({ "metadata": metadata(json!(null)), "spec": { "ingressClassName": "contour" },
            "status": { "loadBalancer": {} } });
        let by_default = json!({ "metadata": metadata(json!({})) });
        for (ingress, class) in
            [(by_annotation, "class nginx"), (by_field, "class contour"), (by_default, "the default class")]
        {
            let told = complaint(&ingress).unwrap();
            assert!(told.starts_with("Ingress shop/web has no address") && told.ends_with(class), "{told}");
        }
    }

    #[test]
    fn one_with_an_address_is_no_complaint() {
        for address in [json!({ "ip": "192.0.2.1" }), json!({ "hostname": "lb.example" })] {
            assert_eq!(complaint(&json!({ "status": { "loadBalancer": { "ingress": [address] } } })), None);
        }
    }
}
