package com.example;

import software.amazon.awssdk.services.sts.StsClient;

public final class WhoAmI {
    public static void main(String[] args) {
        try (StsClient sts = StsClient.create()) {
            System.out.println(sts.getCallerIdentity().arn());
        }
    }
}
